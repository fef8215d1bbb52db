import { hashSync } from 'bcrypt';
import { spawnSync } from 'node:child_process';
import { connect as connectHttp2, constants } from 'node:http2';
import { request } from 'node:https';
import { connect, type Socket } from 'node:net';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { connect as connectTls } from 'node:tls';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { memoryOf } from '../../bench/support.ts';
import { CertificateAuthority } from '../support/certificates.ts';
import { startDaemon, type Daemon } from '../../tools/lib/daemon.ts';
import { parseExposition } from '../../tools/lib/exposition.ts';
import { TempTree } from '../../tools/lib/fake-host.ts';
import { limitMemory, type MemoryLimit } from '../../tools/lib/memory-limit.ts';
import { startPrometheus, type Prometheus } from '../../tools/lib/prometheus.ts';
import { until } from '../../tools/lib/until.ts';
import { ask, basicAuth, RawClient } from '../../tools/lib/web-client.ts';
import { project } from '../../tools/lib/project.ts';

const main = join(project, 'dist/main.js');
const tree = new TempTree();
let ca: CertificateAuthority;
beforeAll(async () => {
  ca = await CertificateAuthority.create(tree.root);
  await ca.issue('server', ['DNS:localhost']);
  await ca.issue('prometheus', ['DNS:prometheus.example.org']);
});
afterAll(() => tree[Symbol.dispose]());

const tls = 'tls_server_config:\n  cert_file: server.pem\n  key_file: server.key\n';
const mutual = `${tls}  client_ca_file: ca.pem\n  client_auth_type: RequireAndVerifyClientCert\n  client_allowed_sans: [prometheus.example.org]\n`;
const users = `basic_auth_users:\n  prometheus: ${hashSync('secret', 10)}\n`;
const credentials = basicAuth('prometheus', 'secret');

const webConfig = (yaml: string): string => {
  tree.write({ 'web.yml': yaml });
  return `--web.config.file=${tree.path('web.yml')}`;
};

const startWith = (yaml: string, ...args: string[]): Promise<Daemon> =>
  startDaemon({ args: [webConfig(yaml), ...args] });

// Also the scrape timeout.
const scrapeIntervalSeconds = 3;

const trust = () => ({ ca_file: ca.certFile, server_name: 'localhost' });
const identity = () => ({ cert_file: tree.path('prometheus.pem'), key_file: tree.path('prometheus.key') });
const login = { username: 'prometheus', password: 'secret' };

const job = (name: string, { port }: Daemon, more: object = {}) => ({
  job_name: name,
  static_configs: [{ targets: [`127.0.0.1:${port}`] }],
  ...more,
});

const valueOf = async (prometheus: Prometheus, promql: string): Promise<number | undefined> =>
  (await prometheus.query(promql))[0]?.value;

/** Prometheus's errors of failed scrapes by job. */
const errorsOf = async (prometheus: Prometheus): Promise<string[]> =>
  (await prometheus.targets()).flatMap(({ labels, lastError }) => lastError && `${labels['job']}: ${lastError}`);

const scrapes = (prometheus: Prometheus, name: string, count: number): Promise<unknown> =>
  until(
    `${count} scrapes of ${name}`,
    async () => ((await valueOf(prometheus, `count_over_time(up{job="${name}"}[10m])`)) ?? 0) >= count,
    { timeoutMs: 60_000, intervalMs: 100 },
  );

const metricsOf = async (daemon: Daemon) => {
  const tlsOptions = { ca: ca.cert, servername: 'localhost' };
  return parseExposition((await ask(daemon.port, { tls: tlsOptions, headers: credentials })).body);
};

describe('a real Prometheus', () => {
  test('scrapes with TLS and a password; not with another password, nor without', async () => {
    await using daemon = await startWith(tls + users);
    await using prometheus = await startPrometheus({
      scrapeIntervalSeconds,
      scrapeConfigs: [
        job('good', daemon, { scheme: 'https', tls_config: trust(), basic_auth: login }),
        job('http1', daemon, { scheme: 'https', tls_config: trust(), basic_auth: login, enable_http2: false }),
        job('wrong', daemon, { scheme: 'https', tls_config: trust(), basic_auth: { ...login, password: 'x' } }),
        job('none', daemon, { scheme: 'https', tls_config: trust() }),
        job('plain', daemon, { basic_auth: login }),
      ],
    });
    const errors = new Set<string>();
    const watch = setInterval(() => {
      void errorsOf(prometheus).then((said) => said.forEach((each) => errors.add(each)));
    }, 200);
    for (const name of ['good', 'http1', 'wrong', 'none', 'plain']) await scrapes(prometheus, name, 3);
    clearInterval(watch);
    for (const name of ['good', 'http1']) {
      expect(await valueOf(prometheus, `min_over_time(up{job="${name}"}[1m])`), [...errors].join('; ')).toBe(1);
      expect(await valueOf(prometheus, `xen_tcp_passive_opens_total{job="${name}"}`), name).toBeGreaterThan(0);
    }
    for (const name of ['wrong', 'none', 'plain']) {
      expect(await valueOf(prometheus, `max_over_time(up{job="${name}"}[1m])`), name).toBe(0);
    }
  });

  test('scrapes with its own certificate, up 1 while that of the exporter is replaced again and again', async () => {
    await using daemon = await startWith(mutual);
    await using prometheus = await startPrometheus({
      scrapeIntervalSeconds,
      scrapeConfigs: [
        job('good', daemon, { scheme: 'https', tls_config: { ...trust(), ...identity() } }),
        job('http1', daemon, { scheme: 'https', tls_config: { ...trust(), ...identity() }, enable_http2: false }),
        job('anybody', daemon, { scheme: 'https', tls_config: trust() }),
      ],
    });
    const readings = () =>
      valueOf(prometheus, 'changes(xen_exporter_web_config_last_reload_success_timestamp_seconds{job="good"}[10m])');
    await scrapes(prometheus, 'good', 2);
    for (let rotation = 1; rotation <= 3; rotation += 1) {
      await ca.issue('server', ['DNS:localhost']);
      await until(`rotation ${rotation} to be seen`, async () => ((await readings()) ?? 0) >= rotation, {
        timeoutMs: 30_000,
        intervalMs: 100,
      });
    }
    for (const name of ['good', 'http1']) {
      expect(await valueOf(prometheus, `min_over_time(up{job="${name}"}[10m])`), name).toBe(1);
      expect(await valueOf(prometheus, `count_over_time(up{job="${name}"}[10m])`), name).toBeGreaterThanOrEqual(4);
    }
    expect(await valueOf(prometheus, 'max_over_time(up{job="anybody"}[10m])')).toBe(0);
  });
});

describe('reading the web config file again', () => {
  test('SIGHUP and /-/reload; a bad one is kept out, named once, and shows', async () => {
    await using daemon = await startWith(tls + users, '--web.enable-lifecycle');
    const tlsOptions = { ca: ca.cert, servername: 'localhost' };
    const reload = () => ask(daemon.port, { method: 'POST', path: '/-/reload', tls: tlsOptions, headers: credentials });
    const logged = (text: string) => daemon.log().split(text).length - 1;
    expect((await reload()).status).toBe(200);
    process.kill(daemon.pid, 'SIGHUP');
    await until('the second reading', () => logged('Web config file read again') === 2);
    tree.write({ 'web.yml': `${tls}${users}unknown: 1\n` });
    expect(await reload()).toMatchObject({ status: 500, body: 'Web config file cannot be used, see the log\n' });
    expect((await metricsOf(daemon)).value('xen_exporter_web_config_last_reload_successful')).toBe(0);
    expect(logged('unknown key')).toBe(1);
    expect(daemon.log()).toContain(`${tree.path('web.yml')}:6: unknown: unknown key`);
  });

  test('SIGHUP without a web config file does nothing', async () => {
    await using daemon = await startDaemon();
    process.kill(daemon.pid, 'SIGHUP');
    expect((await daemon.get('/-/healthy')).status).toBe(200);
    expect((await daemon.metrics()).value('xen_exporter_web_config_last_reload_successful')).toBeUndefined();
  });

  test('a bad file stops the start with status 2, file and line, and so does the check', () => {
    tree.write({ 'bad.yml': `${tls}  min_version: TLS9\n` });
    const flag = `--web.config.file=${tree.path('bad.yml')}`;
    const message = `xen-exporter: ${tree.path('bad.yml')}:4: tls_server_config.min_version: expected a version out of TLS10, TLS11, TLS12, TLS13, found "TLS9"\n`;
    for (const args of [
      [flag, '--web.listen-address=127.0.0.1:0', '--log.level=error'],
      [flag, '--config.check'],
    ]) {
      const { status, stderr } = spawnSync(process.execPath, [main, ...args], { encoding: 'utf8', timeout: 60_000 });
      expect({ status, stderr }).toEqual({ status: 2, stderr: message });
    }
  });
});

test('a Unix socket serves, besides a port', async () => {
  const path = tree.path('exporter.sock');
  await using _daemon = await startDaemon({ args: [`--web.listen-address=unix:${path}`] });
  expect((await ask(0, { socketPath: path })).body).toContain('xen_tcp_passive_opens_total');
});

/** Loopback addresses that neither Prometheus nor a good client uses. */
const attacker = (n: number): string => `127.0.${1 + (Math.floor(n / 200) % 50)}.${1 + (n % 200)}`;

test('guessers at eight addresses do not lock out a client whose password is not remembered', async () => {
  await using daemon = await startWith(`basic_auth_users:\n  prometheus: ${hashSync('secret', 8)}\n`);
  let [isOver, refused] = [false, 0];
  const guess = async (localAddress: string, n: number) => {
    for (let guesses = 0; !isOver; guesses += 1) {
      const headers = basicAuth('prometheus', `guess ${n} ${guesses}`);
      const { status } = await ask(daemon.port, { headers, localAddress });
      expect([401, 429]).toContain(status);
      if (status === 429) refused += 1;
    }
  };
  const guessers = Array.from({ length: 40 }, (_, n) => guess(attacker(n % 8), n));
  await until('the places for passwords to be full', () => refused > 40);
  const good = await ask(daemon.port, { headers: credentials });
  isOver = true;
  await Promise.all(guessers);
  expect(good.status).toBe(200);
});

describe('clients that mean harm, while a real Prometheus scrapes', () => {
  const mostMB = 250;
  /** A daemon with more than 512 MB is killed if the machine supports limits. */
  let limits: (MemoryLimit | undefined)[] = [];
  let open: Daemon;
  let secured: Daemon;
  let prometheus: Prometheus;
  beforeAll(async () => {
    limits = [limitMemory(512), limitMemory(512)];
    open = await startDaemon({ wrapper: limits[0]?.wrapper ?? [] });
    secured = await startDaemon({ args: [webConfig(tls + users)], wrapper: limits[1]?.wrapper ?? [] });
    prometheus = await startPrometheus({
      scrapeIntervalSeconds,
      scrapeConfigs: [
        job('open', open),
        job('secured', secured, { scheme: 'https', tls_config: trust(), basic_auth: login }),
      ],
    });
    for (const name of ['open', 'secured']) await scrapes(prometheus, name, 2);
  });
  afterAll(async () => {
    await prometheus[Symbol.asyncDispose]();
    await open[Symbol.asyncDispose]();
    await secured[Symbol.asyncDispose]();
    for (const limit of limits) limit?.[Symbol.dispose]();
  });

  /** Attacks until Prometheus has scraped both three more times. Then nothing may have failed. */
  const withstand = async (what: string, attack: (daemon: Daemon, goesOn: () => boolean) => Promise<void>) => {
    const countOf = async (name: string) => (await valueOf(prometheus, `count_over_time(up{job="${name}"}[10m])`)) ?? 0;
    const begin = performance.now();
    const errors = new Set<string>();
    const before = { open: memoryOf(open.pid).rssMB, secured: memoryOf(secured.pid).rssMB };
    const most = { ...before };
    let goesOn = true;
    const attacks = [open, secured].map((daemon) => attack(daemon, () => goesOn));
    const watch = setInterval(() => {
      most.open = Math.max(most.open, memoryOf(open.pid).rssMB);
      most.secured = Math.max(most.secured, memoryOf(secured.pid).rssMB);
      void errorsOf(prometheus).then((said) => said.forEach((each) => errors.add(each)));
    }, 200);
    try {
      for (const name of ['open', 'secured']) await scrapes(prometheus, name, (await countOf(name)) + 3);
    } finally {
      goesOn = false;
      await Promise.all(attacks);
      clearInterval(watch);
    }
    const window = Math.round(performance.now() - begin);
    const megabytes = (name: 'open' | 'secured') =>
      `${before[name].toFixed(0)} MB, at most ${most[name].toFixed(0)} MB`;
    console.log(`${what}: resident before and at most: plain ${megabytes('open')}; TLS ${megabytes('secured')}`);
    for (const name of ['open', 'secured'] as const) {
      expect(
        await valueOf(prometheus, `min_over_time(up{job="${name}"}[${window}ms])`),
        `${what}, ${name}: ${[...errors].join('; ')}`,
      ).toBe(1);
      expect(most[name], `${what}, ${name}`).toBeLessThan(mostMB);
    }
  };

  test('10 000 connections from 100 addresses that begin a request and never end it', async () => {
    const opened = { count: 0 };
    await withstand('10 000 connections', async (daemon, goesOn) => {
      const clients: RawClient[] = [];
      for (let n = 0; n < 5000 || goesOn(); n += 1) {
        const client = await RawClient.connect(daemon.port, { localAddress: attacker(n % 100) });
        client.send('GET /metrics HTTP/1.1\r\nHost: x\r\nX-A: ');
        opened.count += 1;
        clients.push(client);
        if (clients.length > 1000) clients.shift()![Symbol.dispose]();
      }
      for (const client of clients) client[Symbol.dispose]();
    });
    expect(opened.count).toBeGreaterThanOrEqual(10_000);
  }, 120_000);

  test('500 connections from the address of Prometheus itself', async () => {
    await withstand('the own address', async (daemon, goesOn) => {
      const clients = await Promise.all(Array.from({ length: 500 }, () => RawClient.connect(daemon.port)));
      await until('the end', () => !goesOn(), { timeoutMs: 60_000 });
      for (const client of clients) client[Symbol.dispose]();
    });
  }, 120_000);

  test('400 clients that ask for everything and never read', async () => {
    await withstand('never reads', async (daemon, goesOn) => {
      const clients: RawClient[] = [];
      for (let n = 0; n < 400; n += 1) {
        const client = await RawClient.connect(daemon.port, { localAddress: attacker(n % 20), reads: false });
        client.send('GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n'.repeat(50));
        clients.push(client);
      }
      await until('the end', () => !goesOn(), { timeoutMs: 60_000 });
      for (const client of clients) client[Symbol.dispose]();
    });
  }, 120_000);

  test('requests without end on each of 100 connections, none of whose answers is read', async () => {
    const { Authorization } = basicAuth('prometheus', 'wrong');
    const blob = `GET /metrics HTTP/1.1\r\nHost: x\r\nAuthorization: ${Authorization}\r\n\r\n`.repeat(500);
    const connectTo = (daemon: Daemon, localAddress: string): Socket => {
      const where = { host: '127.0.0.1', port: daemon.port, localAddress };
      return daemon === secured
        ? connectTls({ ...where, ca: ca.cert, servername: 'localhost', ALPNProtocols: ['http/1.1'] })
        : connect(where);
    };
    await withstand('requests without end', async (daemon, goesOn) => {
      const pour = async (n: number) => {
        while (goesOn()) {
          const socket = connectTo(daemon, attacker(n % 8));
          const closed = new Promise((resolve) => socket.once('close', resolve));
          const send = () => {
            while (goesOn() && socket.write(blob));
          };
          socket.on('error', () => {}).on('drain', send);
          send();
          await Promise.race([closed, until('the end', () => !goesOn(), { timeoutMs: 60_000 })]);
          socket.destroy();
        }
      };
      await Promise.all(Array.from({ length: 100 }, (_, n) => pour(n)));
    });
  }, 120_000);

  test('requests without end on each of 50 connections of HTTP/2, all of them reset', async () => {
    let sessions = 0;
    await withstand('resets', async (daemon, goesOn) => {
      if (daemon !== secured) return;
      const reset = async (n: number) => {
        while (goesOn()) {
          sessions += 1;
          const where = { host: '127.0.0.1', localAddress: attacker(n % 8), ca: ca.cert, servername: 'localhost' };
          const session = connectHttp2(`https://localhost:${daemon.port}`, where);
          const closed = new Promise<void>((resolve) => session.once('close', () => resolve()));
          session.on('error', () => {});
          while (goesOn() && !session.closed && !session.destroyed) {
            for (let i = 0; i < 100 && !session.closed && !session.destroyed; i += 1) {
              const stream = session.request({ ':path': '/metrics' });
              stream.on('error', () => {});
              stream.close(constants.NGHTTP2_CANCEL);
            }
            // The answer to a ping arrives after the server has read everything before it. Without a server there is an
            // immediate error.
            const error = await Promise.race([closed, new Promise((resolve) => session.ping(resolve))]);
            if (error) break;
          }
          session.destroy();
          await closed;
        }
      };
      await Promise.all(Array.from({ length: 50 }, (_, n) => reset(n)));
    });
    // Each has lost its connection more than once.
    expect(sessions).toBeGreaterThan(100);
  }, 120_000);

  test('wrong passwords, headers and bodies that are too large, handshakes that fail', async () => {
    const guess = (port: number, n: number) =>
      new Promise<void>((done) => {
        const headers = basicAuth('prometheus', `guess ${n}`);
        const options = {
          host: '127.0.0.1',
          port,
          localAddress: attacker(n % 2),
          path: '/metrics',
          headers,
          agent: false,
        };
        const outgoing = request({ ...options, ca: ca.cert, servername: 'localhost' }, (response) => {
          response.resume().once('close', () => done());
        });
        outgoing.once('error', () => done()).end();
      });
    const shout = async (port: number, n: number) => {
      using client = await RawClient.connect(port, { localAddress: attacker(n % 50) });
      const shapes = [
        `GET / HTTP/1.1\r\nX-A: ${'a'.repeat(100_000)}`,
        `POST /metrics HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000000\r\n\r\n${'a'.repeat(100_000)}`,
        '\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03',
      ];
      client.send(shapes[n % shapes.length]!);
      await Promise.race([client.closed, until('an answer', () => client.received !== '').catch(() => {})]);
    };
    await withstand('wrong passwords and malformed requests', async (daemon, goesOn) => {
      const attackOnce = daemon === secured ? guess : shout;
      for (let n = 0; goesOn(); n += 20) {
        // At most 200 a second.
        await Promise.all([delay(100), ...Array.from({ length: 20 }, (_, i) => attackOnce(daemon.port, n + i))]);
      }
    });
    expect(
      (await metricsOf(secured)).value('xen_exporter_web_refused_total', { reason: 'password_queue' }),
    ).toBeGreaterThan(0);
  }, 120_000);
});
