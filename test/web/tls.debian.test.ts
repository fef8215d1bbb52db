import { hashSync } from 'bcrypt';
import { writeFileSync } from 'node:fs';
import { connect as connectHttp2, constants } from 'node:http2';
import { connect, type ConnectionOptions, type TLSSocket } from 'node:tls';
import { once } from 'node:events';
import { text } from 'node:stream/consumers';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { CertificateAuthority, type Certificate } from '../support/certificates.ts';
import { TempTree } from '../../tools/lib/fake-host.ts';
import type { Handlers } from '../../src/web/server.ts';
import { startDoor } from '../support/front-door.ts';
import { until } from '../../tools/lib/until.ts';
import { ask, askByHttp2, basicAuth, RawClient } from '../../tools/lib/web-client.ts';

const tree = new TempTree();
let ca: CertificateAuthority;
let client: Certificate;
/** From an unknown authority. */
let stranger: Certificate;
let trust: ConnectionOptions;
beforeAll(async () => {
  ca = await CertificateAuthority.create(tree.root);
  await ca.issue('server', ['DNS:localhost']);
  client = await ca.issue('client', ['DNS:prometheus.example.org']);
  tree.write({ 'others/keep': '' });
  stranger = await (
    await CertificateAuthority.create(tree.path('others'))
  ).issue('stranger', ['DNS:prometheus.example.org']);
  trust = { ca: ca.cert };
});
afterAll(() => tree[Symbol.dispose]());

const basic = 'tls_server_config:\n  cert_file: server.pem\n  key_file: server.key\n';

let files = 0;
const startWith = (yaml: string, parts: Parameters<typeof startDoor>[0] = {}) => {
  const name = `web${(files += 1)}.yml`;
  tree.write({ [name]: yaml });
  return startDoor({ configFile: tree.path(name), ...parts });
};

/** The result of a handshake alone. */
const shakeHands = async (port: number, options: ConnectionOptions): Promise<TLSSocket> => {
  const socket = connect({ host: '127.0.0.1', port, servername: 'localhost', ...trust, ...options });
  await once(socket, 'secureConnect');
  return socket;
};

const outcome = async (work: Promise<{ status: number }>): Promise<number | string> => {
  try {
    return (await work).status;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code ?? String(error);
  }
};

const isRefused = expect.stringMatching(/^(ECONNRESET|EPIPE|ERR_SSL_.*|ERR_HTTP2_.*)$/) as string;

describe('versions, suites, curves', () => {
  const weak = 'DEFAULT:@SECLEVEL=0';
  test.each([
    ['TLS 1.3 by default', '', {}, 'TLSv1.3'],
    ['TLS 1.2 by default', '', { maxVersion: 'TLSv1.2' }, 'TLSv1.2'],
    ['no TLS 1.1', '', { maxVersion: 'TLSv1.1', minVersion: 'TLSv1.1', ciphers: weak }, undefined],
    ['min_version', '  min_version: TLS13\n', { maxVersion: 'TLSv1.2' }, undefined],
    ['max_version', '  max_version: TLS12\n', {}, 'TLSv1.2'],
    [
      'an old min_version',
      '  min_version: TLS11\n',
      { maxVersion: 'TLSv1.1', minVersion: 'TLSv1.1', ciphers: weak },
      'TLSv1.1',
    ],
    ['a curve of both', '  curve_preferences: [CurveP521]\n', { ecdhCurve: 'P-521' }, 'TLSv1.3'],
    ['no curve of both', '  curve_preferences: [CurveP521]\n', { ecdhCurve: 'P-384' }, undefined],
  ] as [string, string, ConnectionOptions, string | undefined][])('%s', async (_what, yaml, options, version) => {
    await using door = await startWith(basic + yaml);
    if (version === undefined) {
      await expect(shakeHands(door.port, options)).rejects.toThrow();
      await until('the refusal to be counted', () => refusedFor(door.metrics, 'handshake') === 1);
    } else {
      const socket = await shakeHands(door.port, options);
      expect(socket.getProtocol()).toBe(version);
      socket.destroy();
    }
  });

  test("cipher_suites, in our order or the client's; those of TLS 1.3 stay", async () => {
    const suites =
      '  cipher_suites: [TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256, TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384]\n';
    const theirs = {
      maxVersion: 'TLSv1.2',
      ciphers: 'ECDHE-ECDSA-AES256-GCM-SHA384:ECDHE-ECDSA-AES128-GCM-SHA256',
    } as const;
    const suiteOf = async (yaml: string, options: ConnectionOptions) => {
      await using door = await startWith(basic + suites + yaml);
      const socket = await shakeHands(door.port, options);
      const { name } = socket.getCipher();
      socket.destroy();
      return name;
    };
    expect(await suiteOf('', theirs)).toBe('ECDHE-ECDSA-AES128-GCM-SHA256');
    expect(await suiteOf('  prefer_server_cipher_suites: false\n', theirs)).toBe('ECDHE-ECDSA-AES256-GCM-SHA384');
    expect(await suiteOf('', {})).toMatch(/^TLS_/);
    await expect(suiteOf('', { maxVersion: 'TLSv1.2', ciphers: 'ECDHE-ECDSA-CHACHA20-POLY1305' })).rejects.toThrow(
      /handshake failure/,
    );
  });

  test('a client may not renegotiate', async () => {
    await using door = await startWith(basic);
    const socket = await shakeHands(door.port, { maxVersion: 'TLSv1.2' });
    const error = once(socket, 'error').then(([reason]) => reason as Error);
    const answered = new Promise<Error | null>((resolve) => socket.renegotiate({}, resolve));
    expect(String(await Promise.race([error, answered]))).toMatch(/no.renegotiation|ECONNRESET|renegotiat/i);
    socket.destroy();
    expect((await ask(door.port, { tls: trust })).status).toBe(200);
  });

  test('sessions are not resumed', async () => {
    await using door = await startWith(`${basic}  max_version: TLS12\n`);
    const first = await shakeHands(door.port, {});
    const session = first.getSession();
    first.destroy();
    const second = await shakeHands(door.port, session ? { session } : {});
    expect(second.isSessionReused()).toBe(false);
    second.destroy();
  });
});

const refusedFor = (metrics: { addTo(out: never): void }, reason: string): number => {
  let value = 0;
  const out = {
    add: (_descriptor: unknown, labels: { reason?: string }, count: number) => {
      if (labels.reason === reason) value = count;
    },
  };
  metrics.addTo(out as never);
  return value;
};

describe('HTTP/2 and HTTP/1.1', () => {
  test('both, by ALPN, with the same answers', async () => {
    await using door = await startWith(basic);
    const [one, two] = [await ask(door.port, { tls: trust }), await askByHttp2(door.port, trust)];
    expect([one.status, two.status]).toEqual([200, 200]);
    expect(two.headers['content-type']).toBe(one.headers['content-type']);
    expect(two.body).toContain('xen_cpu 1');
    for (const headers of [one.headers, two.headers]) expect(headers).not.toHaveProperty('x-powered-by');
    expect((await askByHttp2(door.port, trust, { ':path': '/nope' })).status).toBe(404);
    expect((await askByHttp2(door.port, trust, { ':path': '/metrics', ':method': 'POST' })).status).not.toBe(200);
    expect((await askByHttp2(door.port, trust, { ':method': 'HEAD' })).body).toBe('');
  });

  test('a body by HTTP/2 is refused, too', async () => {
    await using door = await startWith(basic);
    const session = connectHttp2(`https://localhost:${door.port}`, { host: '127.0.0.1', ...trust });
    const stream = session.request({ ':method': 'GET', ':path': '/metrics' }, { endStream: false });
    const [head] = (await once(stream, 'response')) as [{ ':status': number }];
    expect(head[':status']).toBe(413);
    session.destroy();
  });

  test('a client of HTTP/2 that never reads is cut off', async () => {
    await using door = await startWith(basic, { limits: { responseSeconds: 0.3 } });
    const settings = { initialWindowSize: 0 };
    const session = connectHttp2(`https://localhost:${door.port}`, { host: '127.0.0.1', ...trust, settings });
    session.on('error', () => {});
    const stream = session.request({ ':path': '/' });
    stream.on('error', () => {});
    await new Promise<void>((resolve) => session.once('close', () => resolve()));
    expect(refusedFor(door.metrics, 'slow')).toBe(1);
    expect(door.metrics.connections).toBe(0);
  });

  test('a client of HTTP/2 that resets its requests costs few of them, and its connection ends', async () => {
    let handled = 0;
    const handlers: Handlers = {
      http1: (_request, response) => void response.end(),
      http2: () => void (handled += 1),
    };
    await using door = await startWith(basic, { handlers });
    const session = connectHttp2(`https://localhost:${door.port}`, { servername: 'localhost', ...trust });
    session.on('error', () => {});
    await once(session, 'connect');
    let asked = 0;
    const ended = new Promise<void>((resolve) => session.once('close', () => resolve()));
    for (let isOver = false; !isOver && asked < 2000; asked += 1) {
      const stream = session.request({ ':path': '/metrics' });
      stream.on('error', () => {});
      stream.close(constants.NGHTTP2_CANCEL);
      // As fast as possible: requests that arrive while the connection is being ended count, too.
      if (asked % 100 === 99) await Promise.race([ended, new Promise((resolve) => session.ping(resolve))]);
      isOver = session.closed || session.destroyed;
    }
    await ended;
    expect(asked).toBeLessThan(400);
    expect(handled).toBeLessThanOrEqual(50);
  });

  test('a connection of HTTP/2 without a request is closed, in time', async () => {
    await using door = await startWith(basic, { limits: { headerSeconds: 0.2 } });
    const session = connectHttp2(`https://localhost:${door.port}`, { host: '127.0.0.1', ...trust });
    session.on('error', () => {});
    await new Promise<void>((resolve) => session.once('close', () => resolve()));
    expect(refusedFor(door.metrics, 'slow')).toBe(1);
  });

  test('HTTP/1.1 alone where http2 is false', async () => {
    await using door = await startWith(`${basic}http_server_config:\n  http2: false\n`);
    expect((await ask(door.port, { tls: trust })).status).toBe(200);
    await expect(shakeHands(door.port, { ALPNProtocols: ['h2'] })).rejects.toThrow();
  });

  test('plain HTTP is no TLS', async () => {
    await using door = await startWith(basic);
    expect(await outcome(ask(door.port))).toEqual(isRefused);
    expect((await ask(door.port, { tls: trust })).status).toBe(200);
  });
});

describe('client certificates', () => {
  const withCa = '  client_ca_file: ca.pem\n';
  const cases: [string, string, [none: boolean, good: boolean, stranger: boolean]][] = [
    ['NoClientCert', '', [true, true, true]],
    ['RequestClientCert', withCa, [true, true, true]],
    ['RequireAnyClientCert', withCa, [false, true, true]],
    ['VerifyClientCertIfGiven', withCa, [true, true, false]],
    ['RequireAndVerifyClientCert', withCa, [false, true, false]],
  ];
  test.each(cases)('%s', async (type, yaml, admits) => {
    await using door = await startWith(`${basic}${yaml}  client_auth_type: ${type}\n`);
    const identities = [{}, { cert: client.cert, key: client.key }, { cert: stranger.cert, key: stranger.key }];
    for (const [i, identity] of identities.entries()) {
      const expected = admits[i] ? 200 : isRefused;
      expect(await outcome(ask(door.port, { tls: { ...trust, ...identity } })), `${i}`).toEqual(expected);
      expect(await outcome(askByHttp2(door.port, { ...trust, ...identity })), `${i}`).toEqual(expected);
    }
    expect(refusedFor(door.metrics, 'client_certificate')).toBe(2 * admits.filter((isAdmitted) => !isAdmitted).length);
  });

  test.each([
    ['prometheus.example.org', 200],
    ['example.org', isRefused],
  ])('client_allowed_sans: %s', async (name, expected) => {
    const yaml = `${withCa}  client_auth_type: RequireAndVerifyClientCert\n  client_allowed_sans: [${name}]\n`;
    await using door = await startWith(basic + yaml);
    const tls = { ...trust, cert: client.cert, key: client.key };
    expect(await outcome(ask(door.port, { tls }))).toEqual(expected);
    expect(await outcome(ask(door.port, { tls: { ...tls, cert: stranger.cert, key: stranger.key } }))).toEqual(
      isRefused,
    );
  });
});

const users = `basic_auth_users:\n  alice: ${hashSync('secret', 4)}\n  bob: ${hashSync('hidden', 4)}\n`;

describe('users', () => {
  test.each([
    ['the right password', basicAuth('alice', 'secret'), 200],
    ["another user's", basicAuth('bob', 'hidden'), 200],
    ['a wrong one', basicAuth('alice', 'hidden'), 401],
    ['an unknown user', basicAuth('carol', 'secret'), 401],
    ['none', {}, 401],
  ])('%s', async (_what, headers, status) => {
    await using door = await startWith(users);
    for (const path of ['/metrics', '/', '/-/healthy', '/-/ready']) {
      const answer = await ask(door.port, { path, headers });
      expect([answer.status, answer.headers['www-authenticate']], path).toEqual([
        status,
        status === 401 ? 'Basic realm="xen-exporter", charset="UTF-8"' : undefined,
      ]);
    }
    if (status === 401) expect((await ask(door.port, { path: '/nope', headers })).status).toBe(401);
  });

  test('a connection ends with the first refusal, whatever has come behind it', async () => {
    await using door = await startWith(users);
    using client = await RawClient.connect(door.port);
    client.send('GET / HTTP/1.1\r\nHost: x\r\n\r\n');
    await client.closed;
    expect(client.received).toMatch(/^HTTP\/1\.1 401 .*\r\nConnection: close\r\n/s);
    using second = await RawClient.connect(door.port);
    second.send('GET / HTTP/1.1\r\nHost: x\r\n\r\n'.repeat(1000));
    await second.closed;
    expect(refusedFor(door.metrics, 'credentials')).toBeLessThan(20);
  });

  test('by HTTP/2 too', async () => {
    await using door = await startWith(basic + users);
    const auth = (password: string) => ({ authorization: basicAuth('alice', password).Authorization });
    expect((await askByHttp2(door.port, trust, auth('secret'))).status).toBe(200);
    expect((await askByHttp2(door.port, trust, auth('wrong'))).status).toBe(401);
  });
});

test('response headers, also of errors', async () => {
  await using door = await startWith(
    'http_server_config:\n  headers:\n    X-Frame-Options: deny\n    Content-Security-Policy: "x"\n',
  );
  for (const path of ['/metrics', '/', '/nope']) {
    expect((await ask(door.port, { path })).headers).toMatchObject({
      'x-frame-options': 'deny',
      'content-security-policy': 'x',
    });
  }
});

test('a rate limit: a burst, then 429', async () => {
  await using door = await startWith('rate_limit:\n  interval: 1h\n  burst: 2\n');
  const statuses: number[] = [];
  for (let i = 0; i < 3; i += 1) statuses.push((await ask(door.port, { path: '/-/healthy' })).status);
  expect(statuses).toEqual([200, 200, 429]);
  expect(refusedFor(door.metrics, 'rate_limit')).toBe(1);
});

describe('reading the file again', () => {
  const serialOf = async (port: number) => {
    const socket = await shakeHands(port, {});
    const { serialNumber } = socket.getPeerCertificate();
    socket.destroy();
    return serialNumber;
  };

  test('a new certificate is shown to those who come after it, connections that were open are ended', async () => {
    await ca.issue('rotating', ['DNS:localhost']);
    await using door = await startWith(basic.replaceAll('server', 'rotating').replace('tls_rotating', 'tls_server'));
    const before = await serialOf(door.port);
    const idle = await shakeHands(door.port, { ALPNProtocols: ['http/1.1'] });
    const ended = once(idle, 'close');
    idle.write('GET /-/healthy HTTP/1.1\r\nHost: localhost\r\n\r\n');
    expect(String((await once(idle, 'data'))[0])).toMatch(/^HTTP\/1.1 200 /);
    await ca.issue('rotating', ['DNS:localhost']);
    const after = await until('the new certificate', async () => {
      const serial = await serialOf(door.port);
      return serial === before ? undefined : serial;
    });
    expect(after).not.toBe(before);
    await ended;
    expect(door.log.lines).toContainEqual(expect.stringMatching(/^info \| Web config file read again/));
  });

  test('a bad file: the last good one is kept, which shows in log and metric, and heals', async () => {
    await using door = await startWith(basic);
    const path = tree.path(`web${files}.yml`);
    const state = () => door.metrics.config!;
    const { lastSuccess, certificates } = state();
    expect(certificates.server!.to).toBeGreaterThan(lastSuccess);
    expect(certificates.client_ca).toBeUndefined();
    writeFileSync(path, `${basic}  key: x\n`);
    await until('the failure', async () => {
      expect((await ask(door.port, { tls: trust })).status).toBe(200);
      return !state().succeeded;
    });
    expect(state()).toEqual({ succeeded: false, lastSuccess, certificates });
    expect(door.log.lines).toEqual([
      `error | Web config file cannot be used, keeping the last good one | ${path}:4: tls_server_config.key: expected key or key_file, found both`,
    ]);
    expect(door.config.reload()).toBe(false);
    writeFileSync(path, basic);
    await until('the recovery', async () => {
      expect((await ask(door.port, { tls: trust })).status).toBe(200);
      return state().succeeded;
    });
    expect(state().lastSuccess).toBeGreaterThan(lastSuccess);
  });

  test('a connection that was made before gets no further request', async () => {
    const held: (() => void)[] = [];
    const handlers: Handlers = {
      http1: (request, response) => {
        if (request.url === '/held') held.push(() => response.end('done'));
        else response.end();
      },
      http2: (_request, response) => void response.end(),
    };
    await using door = await startWith('', { handlers });
    using before = await RawClient.connect(door.port);
    const get = 'GET /held HTTP/1.1\r\nHost: x\r\n\r\n';
    before.send(get);
    await until('its request', () => held.length === 1);
    writeFileSync(tree.path(`web${files}.yml`), basic);
    expect(door.config.reload()).toBe(true);
    before.send(get);
    for (let i = 0; i < 3; i += 1) expect((await ask(door.port, { tls: trust })).status).toBe(200);
    expect(held).toHaveLength(1);
    held[0]!();
    await before.closed;
    expect(before.received).toMatch(/done$/);
  });

  test('a connection of HTTP/2 that was made before gets no further request', async () => {
    const held: (() => void)[] = [];
    const handlers: Handlers = {
      http1: (_request, response) => void response.end(),
      http2: (_request, response) => void held.push(() => void response.end('done')),
    };
    await using door = await startWith(basic, { handlers });
    const session = connectHttp2(`https://localhost:${door.port}`, { host: '127.0.0.1', ...trust });
    const stream = session.request({ ':path': '/' });
    await until('its request', () => held.length === 1);
    const goodbye = once(session, 'goaway');
    writeFileSync(tree.path(`web${files}.yml`), `${basic}  min_version: TLS13\n`);
    expect(door.config.reload()).toBe(true);
    await goodbye;
    held[0]!();
    expect(await text(stream)).toBe('done');
    await until('the connection to be gone', () => door.metrics.connections === 0);
  });

  test('users and TLS begin, users change, some are removed', async () => {
    await using door = await startWith('');
    const path = tree.path(`web${files}.yml`);
    const statuses = async () => [
      await outcome(ask(door.port)),
      await outcome(ask(door.port, { tls: trust })),
      await outcome(ask(door.port, { tls: trust, headers: basicAuth('alice', 'secret') })),
    ];
    expect(await statuses()).toEqual([200, expect.any(String), expect.any(String)]);
    writeFileSync(path, basic + users);
    door.config.reload();
    expect(await statuses()).toEqual([isRefused, 401, 200]);
    writeFileSync(path, basic + users.replace('alice', 'dave'));
    expect(door.config.reload()).toBe(true);
    expect(await statuses()).toEqual([isRefused, 401, 401]);
    expect(await outcome(ask(door.port, { tls: trust, headers: basicAuth('bob', 'hidden') }))).toBe(200);
    writeFileSync(path, basic + users.replace(/^ {2}bob.*\n/m, ''));
    expect(door.config.reload()).toBe(true);
    expect(await outcome(ask(door.port, { tls: trust, headers: basicAuth('bob', 'hidden') }))).toBe(401);
    expect(await statuses()).toEqual([isRefused, 401, 200]);
  });
});

describe('a file that drops a demand on clients applies at a restart only', () => {
  const mutual = (type: string) => `${basic}  client_ca_file: ca.pem\n  client_auth_type: ${type}\n`;
  const verified = mutual('RequireAndVerifyClientCert');
  const sans = '  client_allowed_sans: [prometheus.example.org]\n';
  test.each([
    ['emptied', basic + users, '', 'users (basic_auth_users), TLS (tls_server_config)'],
    ['cut off after TLS', basic + users, basic, 'users (basic_auth_users)'],
    ['without its users', users, 'basic_auth_users: {}\n', 'users (basic_auth_users)'],
    ['without TLS', basic + users, users, 'TLS (tls_server_config)'],
    [
      'without client certificates',
      verified,
      basic,
      'a client certificate (client_auth_type), certificates of the client CA (client_auth_type)',
    ],
    [
      'any client certificate',
      verified,
      mutual('RequireAnyClientCert'),
      'certificates of the client CA (client_auth_type)',
    ],
    [
      'a client certificate if given',
      verified,
      mutual('VerifyClientCertIfGiven'),
      'a client certificate (client_auth_type)',
    ],
    ['without names', verified + sans, verified, 'allowed names (client_allowed_sans)'],
  ])('%s', async (_what, before, after, dropped) => {
    const path = tree.path(`web${files + 1}.yml`);
    await using door = await startWith(before);
    const { value } = door.config;
    writeFileSync(path, after);
    expect(door.config.reload()).toBe(false);
    expect(door.config.value).toBe(value);
    expect(door.metrics.config!.succeeded).toBe(false);
    expect(door.log.lines).toEqual([
      `error | Web config file cannot be used, keeping the last good one | ${path}: expected ${dropped}, now in use: only a restart drops this`,
    ]);
    await using restarted = await startDoor({ configFile: path });
    expect(restarted.metrics.config!.succeeded).toBe(true);
    writeFileSync(path, before);
    expect(door.config.reload()).toBe(true);
    expect(door.metrics.config!.succeeded).toBe(true);
  });

  test('a file that is emptied for a moment leaves the door closed', async () => {
    await using door = await startWith(basic + users);
    writeFileSync(tree.path(`web${files}.yml`), '');
    await until('the file to be read', async () => {
      expect(await outcome(ask(door.port))).toEqual(isRefused);
      expect(await outcome(ask(door.port, { tls: trust }))).toBe(401);
      return !door.metrics.config!.succeeded;
    });
    expect(await outcome(ask(door.port, { tls: trust, headers: basicAuth('alice', 'secret') }))).toBe(200);
  });
});

test('a handshake that does not end is cut off', async () => {
  await using door = await startWith(basic, { limits: { headerSeconds: 0.2 } });
  using silent = await RawClient.connect(door.port);
  await silent.closed;
  expect(refusedFor(door.metrics, 'slow')).toBe(1);
});

test('TLS on a Unix socket', async () => {
  const path = tree.path('door.sock');
  await using _door = await startWith(basic, { address: { path } });
  expect((await ask(0, { socketPath: path, tls: trust })).status).toBe(200);
});
