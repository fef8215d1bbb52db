import { writeFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { UsageError } from '../../../src/config/usage-error.ts';
import { openDoor, WebConfigFile } from '../../../src/web/config/web-config-file.ts';
import { CertificateAuthority, type Certificate } from '../../support/certificates.ts';
import { TempTree } from '../../../tools/lib/fake-host.ts';
import { promtoolCheckWebConfig } from '../../../tools/lib/prometheus.ts';

const tree = new TempTree();
let server: Certificate;
let ca: CertificateAuthority;
beforeAll(async () => {
  ca = await CertificateAuthority.create(tree.root);
  server = await ca.issue('server', ['DNS:localhost']);
  await ca.issue('other', []);
  tree.write({
    'no-certs.pem': 'nothing\n',
    'broken.pem': '-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n',
  });
});
afterAll(() => tree[Symbol.dispose]());

const ofOneDay = { from: expect.any(Number) as number, to: expect.any(Number) as number };

const indent = (pem: string): string => pem.trim().replace(/^/gm, '    ');

const write = (yaml: string): string => {
  const filled = yaml.replace('SERVER_CERT', () => indent(server.cert)).replace('SERVER_KEY', () => indent(server.key));
  writeFileSync(
    tree.path('web.yml'),
    filled.replace('CA_CERT', () => indent(ca.cert)),
  );
  return tree.path('web.yml');
};

const faultsOf = (path: string): string => {
  try {
    new WebConfigFile(path).load();
    return '';
  } catch (error) {
    if (error instanceof UsageError) return error.message.replaceAll(`${tree.root}/`, '');
    throw error;
  }
};

const tls = 'tls_server_config:\n  cert_file: server.pem\n  key_file: server.key\n';
const mutual = `${tls}  client_ca_file: ca.pem\n  client_auth_type: RequireAndVerifyClientCert\n`;
const hash = '$2y$10$X0h1gDsPszWURQaxFh.zoubFi6DXncSjhoQNJgRrnGs7EsimhC7zG';

/** Keys that exporter-toolkit got after Debian 12's promtool was built: the only ones that it may reject. */
const unknownToPromtool = /field (?:cert|key|client_ca|rate_limit|client_allowed_sans) not found in type web\.\w+/;

describe('good files, which promtool accepts too', () => {
  const suites = [
    'TLS_AES_128_GCM_SHA256',
    'TLS_AES_256_GCM_SHA384',
    'TLS_CHACHA20_POLY1305_SHA256',
    ...['ECDSA', 'RSA'].flatMap((key) =>
      [
        'AES_128_CBC_SHA',
        'AES_256_CBC_SHA',
        'AES_128_GCM_SHA256',
        'AES_256_GCM_SHA384',
        'CHACHA20_POLY1305_SHA256',
      ].map((cipher) => `TLS_ECDHE_${key}_WITH_${cipher}`),
    ),
  ];
  test.each([
    ['an empty one', ''],
    ['sections without content', 'tls_server_config:\nhttp_server_config:\nbasic_auth_users:\n'],
    ['TLS', tls],
    ['TLS, empty texts', `${tls}  client_ca_file: ""\n  client_auth_type: ""\n`],
    ['TLS, versions', `${tls}  min_version: TLS13\n  max_version: TLS13\n`],
    ['TLS, old versions', `${tls}  min_version: TLS10\n`],
    ['TLS, every suite', `${tls}  cipher_suites: [${suites.join(', ')}]\n`],
    [
      'TLS, suites that HTTP/2 cannot use',
      `${tls}  cipher_suites: [TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA]\nhttp_server_config:\n  http2: false\n`,
    ],
    ['TLS, the order of the client', `${tls}  prefer_server_cipher_suites: false\n`],
    ['TLS, every curve', `${tls}  curve_preferences: [CurveP256, CurveP384, CurveP521, X25519]\n`],
    ['TLS, inline', 'tls_server_config:\n  cert: |\nSERVER_CERT\n  key: |\nSERVER_KEY\n'],
    ...['NoClientCert', 'RequestClientCert', 'RequireAnyClientCert', 'RequireClientCert'].map((type) => [
      type,
      `${tls}  client_auth_type: ${type}\n`,
    ]),
    ...['RequestClientCert', 'VerifyClientCertIfGiven', 'RequireAndVerifyClientCert'].map((type) => [
      `${type} with a CA`,
      `${tls}  client_ca_file: ca.pem\n  client_auth_type: ${type}\n`,
    ]),
    ['an inline CA', `${tls}  client_ca: |\nCA_CERT\n  client_auth_type: RequireAndVerifyClientCert\n`],
    ['allowed SANs', `${mutual}  client_allowed_sans: [prometheus.example.org, 10.0.0.1]\n`],
    [
      'users with names of object properties',
      `basic_auth_users:\n${['constructor', '__proto__', 'prototype', 'toString'].map((user) => `  ${user}: ${hash}\n`).join('')}`,
    ],
    ['users', `basic_auth_users:\n  alice: ${hash}\n  bob: ${hash.replace('$2y', '$2a')}\n  "3": ${hash}\n`],
    [
      'headers',
      'http_server_config:\n  headers:\n    X-Frame-Options: deny\n    X-Content-Type-Options: nosniff\n    Content-Security-Policy: "default-src \'self\'"\n    X-XSS-Protection: ""\n    Strict-Transport-Security: max-age=3600\n',
    ],
    ['HTTP/2', `${tls}http_server_config:\n  http2: true\n`],
    ['a switch of YAML 1.1', `${tls}http_server_config:\n  http2: off\n`],
    ['a rate limit', 'rate_limit:\n  interval: 1s\n  burst: 5\n'],
    ['a rate limit that is off', 'rate_limit:\n  interval: 0\n  burst: 5\n'],
  ])('%s', async (_what, yaml) => {
    const path = write(yaml);
    expect(faultsOf(path)).toBe('');
    const complaint = await promtoolCheckWebConfig(path);
    const faults = complaint.split('\n').filter((line) => /line \d+:/.test(line) && !unknownToPromtool.test(line));
    expect(faults).toEqual([]);
    if (!unknownToPromtool.test(complaint)) expect(complaint).toBe('');
  });
});

describe('bad files, with file and line', () => {
  const clientAuthTypes =
    'NoClientCert, RequestClientCert, RequireAnyClientCert, VerifyClientCertIfGiven, RequireAndVerifyClientCert';
  test.each([
    ['no structure', 'web_config\n', 'web.yml:1: the file: expected a mapping, found "web_config"'],
    ['a list', '- tls\n', 'web.yml:1: the file: expected a mapping, found ["tls"]'],
    ['an unknown section', `${tls}cert_file: x\n`, 'web.yml:4: cert_file: unknown key'],
    [
      'an unknown key',
      `${tls}  cert_fil: x\n`,
      'web.yml:4: tls_server_config.cert_fil: unknown key, perhaps cert_file',
    ],
    [
      'a key with dots',
      'tls_server_config.cert_file: x\n',
      'web.yml:1: tls_server_config.cert_file: unknown key; each dot is a level in this file: tls_server_config: {cert_file: ...}',
    ],
    ['an alias', 'http_server_config: &a {}\nrate_limit: *a\n', 'web.yml:2: expected no alias, found one (*name)'],
    ['a key twice', `${tls}  key_file: x\n`, 'web.yml:4: duplicated mapping key'],
    [
      'no certificate',
      'tls_server_config:\n  key_file: server.key\n',
      'web.yml:1: tls_server_config: expected cert or cert_file, found neither',
    ],
    [
      'an empty certificate',
      'tls_server_config:\n  cert: ""\n  key_file: server.key\n',
      'web.yml:1: tls_server_config: expected cert or cert_file, found neither',
    ],
    [
      'no key',
      'tls_server_config:\n  cert_file: server.pem\n  key_file: ""\n',
      'web.yml:1: tls_server_config: expected key or key_file, found neither',
    ],
    ...['', ' ""'].map((empty) => [
      `a certificate and a key without a value:${empty}`,
      `tls_server_config:\n  cert_file:${empty}\n  key_file:${empty}\n`,
      'web.yml:1: tls_server_config: expected cert or cert_file, found neither\nweb.yml:1: tls_server_config: expected key or key_file, found neither',
    ]),
    [
      'a version alone',
      'tls_server_config:\n  min_version: TLS13\n',
      'web.yml:1: tls_server_config: expected cert or cert_file, found neither\nweb.yml:1: tls_server_config: expected key or key_file, found neither',
    ],
    [
      'two certificates',
      `${tls}  cert: x\n`,
      'web.yml:4: tls_server_config.cert: expected cert or cert_file, found both',
    ],
    [
      'a certificate that is not there',
      tls.replace('server.pem', 'none.pem'),
      'web.yml:2: tls_server_config.cert_file: none.pem: ENOENT: no such file or directory',
    ],
    [
      'a key that is not there',
      tls.replace('server.key', 'none.key'),
      'web.yml:3: tls_server_config.key_file: none.key: ENOENT: no such file or directory',
    ],
    [
      'another key',
      tls.replace('server.key', 'other.key'),
      'web.yml:3: tls_server_config.key_file: expected the private key of the certificate in cert_file',
    ],
    [
      'a folder',
      tls.replace('server.key', '.'),
      `web.yml:3: tls_server_config.key_file: ${'ROOT'}: expected a regular file, found a directory`,
    ],
    [
      'no certificate in it',
      tls.replace('server.pem', 'no-certs.pem'),
      'web.yml:2: tls_server_config.cert_file: expected a PEM certificate, found none',
    ],
    [
      'a broken certificate',
      tls.replace('server.pem', 'broken.pem'),
      'web.yml:2: tls_server_config.cert_file: expected a PEM certificate, found one that cannot be read',
    ],
    [
      'no key in it',
      tls.replace('server.key', 'no-certs.pem'),
      'web.yml:3: tls_server_config.key_file: expected a PEM private key without a passphrase',
    ],
    [
      'a CA without a policy',
      `${tls}  client_ca_file: ca.pem\n`,
      'web.yml:4: tls_server_config.client_ca_file: expected a client_auth_type that requests certificates, found NoClientCert',
    ],
    [
      'a policy without a CA',
      `${tls}  client_auth_type: RequireAndVerifyClientCert\n`,
      'web.yml:4: tls_server_config.client_auth_type: RequireAndVerifyClientCert expects client_ca or client_ca_file, found neither: a certificate of any public CA would be accepted',
    ],
    [
      'a CA that is not there',
      mutual.replace('ca.pem', 'none.pem'),
      'web.yml:4: tls_server_config.client_ca_file: none.pem: ENOENT: no such file or directory',
    ],
    [
      'a CA without certificates',
      mutual.replace('ca.pem', 'no-certs.pem'),
      'web.yml:4: tls_server_config.client_ca_file: expected a PEM certificate, found none',
    ],
    [
      'an unknown policy',
      `${tls}  client_auth_type: Sometimes\n`,
      `web.yml:4: tls_server_config.client_auth_type: expected a policy out of ${clientAuthTypes}, RequireClientCert, found "Sometimes"`,
    ],
    [
      'SANs without certificates',
      `${tls}  client_allowed_sans: [a]\n`,
      'web.yml:4: tls_server_config.client_allowed_sans: expected client_auth_type RequireAndVerifyClientCert or RequireAnyClientCert, found NoClientCert: without a certificate no name can match',
    ],
    [
      'SANs without a list',
      `${mutual}  client_allowed_sans:\n`,
      'web.yml:6: tls_server_config.client_allowed_sans: expected a list, found null',
    ],
    [
      'an invented suite',
      `${tls}  cipher_suites:\n    - TLS_AES_128_GCM_SHA256\n    - TLS_MAGIC\n`,
      /^web\.yml:6: tls_server_config\.cipher_suites\.1: expected a cipher suite: TLS_ECDHE_.*, found "TLS_MAGIC"$/,
    ],
    [
      'an insecure suite',
      `${tls}  cipher_suites: [TLS_RSA_WITH_AES_128_CBC_SHA]\n`,
      'web.yml:4: tls_server_config.cipher_suites.0: expected a secure cipher suite (this one has no forward secrecy), found "TLS_RSA_WITH_AES_128_CBC_SHA"',
    ],
    [
      'suites without one for HTTP/2',
      `${tls}  cipher_suites: [TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA]\n`,
      /^web\.yml:4: tls_server_config\.cipher_suites: expected TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256 or .*, which HTTP\/2 needs, or http_server_config\.http2: false$/,
    ],
    [
      'an invented curve',
      `${tls}  curve_preferences: [CurveP257]\n`,
      'web.yml:4: tls_server_config.curve_preferences.0: expected a curve out of X25519, CurveP256, CurveP384, CurveP521, found "CurveP257"',
    ],
    [
      'an invented version',
      `${tls}  min_version: TLS111\n`,
      'web.yml:4: tls_server_config.min_version: expected a version out of TLS10, TLS11, TLS12, TLS13, found "TLS111"',
    ],
    [
      'an empty version',
      `${tls}  min_version: ""\n`,
      'web.yml:4: tls_server_config.min_version: expected a version out of TLS10, TLS11, TLS12, TLS13, found ""',
    ],
    [
      'versions the wrong way around',
      `${tls}  min_version: TLS13\n  max_version: TLS12\n`,
      'web.yml:4: tls_server_config.min_version: expected min_version (TLS13) to be at most max_version (TLS12)',
    ],
    [
      'a header of ours',
      'http_server_config:\n  headers:\n    Server: x\n',
      'web.yml:3: http_server_config.headers.Server: unknown key',
    ],
    [
      'a header with another value',
      'http_server_config:\n  headers:\n    X-Frame-Options: maybe\n',
      'web.yml:3: http_server_config.headers.X-Frame-Options: expected a value out of deny, sameorigin, found "maybe"',
    ],
    [
      'a header that begins another',
      'http_server_config:\n  headers:\n    X-XSS-Protection: "a\\r\\nSet-Cookie: b"\n',
      /^web\.yml:3: http_server_config\.headers\.X-XSS-Protection: expected a text of printable ASCII characters, found /,
    ],
    [
      'a word for a switch',
      'http_server_config:\n  http2: sometimes\n',
      'web.yml:2: http_server_config.http2: expected true or false, found "sometimes"',
    ],
    [
      'a password that is no hash',
      'basic_auth_users:\n  alice: secret\n',
      'web.yml:2: basic_auth_users.alice: expected a bcrypt hash ($2y$, $2b$ or $2a$) of cost 4 to 18',
    ],
    ...['', ' ~', ' ""'].map((empty) => [
      `a user without a hash:${empty}`,
      `basic_auth_users:\n  alice: ${hash}\n  bob:${empty}\n`,
      'web.yml:3: basic_auth_users.bob: expected a bcrypt hash ($2y$, $2b$ or $2a$) of cost 4 to 18',
    ]),
    ...['constructor', '__proto__'].map((user) => [
      `a password of ${user} that is no hash`,
      `basic_auth_users:\n  ${user}: secret\n`,
      `web.yml:2: basic_auth_users.${user}: expected a bcrypt hash ($2y$, $2b$ or $2a$) of cost 4 to 18`,
    ]),
    [
      'a hash that takes hours',
      `basic_auth_users:\n  alice: ${hash.replace('$10$', '$30$')}\n`,
      'web.yml:2: basic_auth_users.alice: expected a bcrypt hash ($2y$, $2b$ or $2a$) of cost 4 to 18',
    ],
    [
      'a list of users',
      'basic_auth_users:\n  - alice\n',
      'web.yml:1: basic_auth_users: expected a mapping of user names to bcrypt hashes',
    ],
    [
      'a duration without a unit',
      'rate_limit:\n  interval: "5"\n  burst: 1\n',
      'web.yml:2: rate_limit.interval: expected a duration such as 100ms or 1m30s, not below 0, found "5"',
    ],
    [
      'a limit that answers nothing',
      'rate_limit:\n  interval: 1s\n',
      'web.yml:1: rate_limit: expected a burst of at least 1: with 0 every request is refused',
    ],
    [
      'a burst alone',
      'rate_limit:\n  burst: 2\n',
      'web.yml:2: rate_limit.burst: expected interval with burst, found none',
    ],
  ] as [string, string, string | RegExp][])('%s', (_what, yaml, message) => {
    const faults = faultsOf(write(yaml)).replace(tree.root, 'ROOT');
    if (typeof message === 'string') expect(faults).toBe(message);
    else expect(faults).toMatch(message);
  });

  test('a file that is not there', () => {
    expect(faultsOf(tree.path('none.yml'))).toBe('--web.config.file: none.yml: ENOENT: no such file or directory');
  });
});

describe('what a file means', () => {
  test('defaults', () => expect(new WebConfigFile(write('')).load()).toEqual(openDoor));

  test('every user of the file is a user', () => {
    const names = ['constructor', '__proto__', 'prototype', 'hasOwnProperty', '3', 'null', 'alice'];
    const yaml = `basic_auth_users:\n${names.map((name) => `  ${name}: ${hash}\n`).join('')}`;
    const { users } = new WebConfigFile(write(yaml)).load();
    expect([...users.keys()].toSorted()).toEqual(names.toSorted());
  });

  test('all of it', () => {
    const yaml = `${mutual}  client_allowed_sans: [a]\n  min_version: TLS13\nhttp_server_config:\n  http2: false\n  headers: {X-Frame-Options: deny, X-XSS-Protection: ""}\nbasic_auth_users:\n  alice: ${hash}\nrate_limit:\n  interval: 1m0.5s\n  burst: 3\n`;
    expect(new WebConfigFile(write(yaml)).load()).toEqual({
      tls: {
        cert: { key: 'cert_file', file: 'server.pem' },
        privateKey: { key: 'key_file', file: 'server.key' },
        clientCa: { key: 'client_ca_file', file: 'ca.pem' },
        clientAuth: 'RequireAndVerifyClientCert',
        allowedSans: ['a'],
        minVersion: 'TLS13',
        maxVersion: 'TLS13',
        cipherSuites: [],
        prefersOwnOrder: true,
        curves: [],
      },
      http2: false,
      headers: [['X-Frame-Options', 'deny']],
      users: new Map([['alice', hash]]),
      rateLimit: { intervalSeconds: 60.5, burst: 3 },
      identity: { cert: server.cert, key: server.key, ca: ca.cert, validity: ofOneDay, caValidity: ofOneDay },
    });
  });
});

test('how long certificates are valid: the server’s, and of the client CA the one that ends first', async () => {
  const longer = await ca.issue('longer', [], ['-days', '3']);
  for (const bundle of [`${ca.cert}${longer.cert}`, `${longer.cert}${ca.cert}`]) {
    tree.write({ 'bundle.pem': bundle });
    const path = write(
      mutual.replace('ca.pem', 'bundle.pem').replaceAll('server', 'longer').replace('tls_longer', 'tls_server'),
    );
    const { validity, caValidity } = new WebConfigFile(path).load().identity!;
    expect(validity.to - validity.from).toBe(3 * 86_400);
    expect(caValidity!.to - caValidity!.from).toBe(86_400);
  }
});

test('it has changed when one of its files has, and when one that was missing is there', () => {
  const key = server.key;
  const file = new WebConfigFile(write(tls));
  file.load();
  expect(file.changed()).toBe(false);
  tree.write({ 'server.key': 'broken' });
  expect(file.changed()).toBe(true);
  expect(() => file.load()).toThrow(UsageError);
  expect(file.changed()).toBe(false);
  tree.write({ 'server.key': key });
  expect(file.changed()).toBe(true);
  file.load();
  write(`${tls}  min_version: TLS13\n`);
  expect(file.changed()).toBe(true);
});
