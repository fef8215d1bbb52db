import { X509Certificate } from 'node:crypto';
import { expect, test } from 'vitest';
import { isAllowed, subjectNames } from '../../src/web/client-certificates.ts';
import { CertificateAuthority } from '../support/certificates.ts';
import { TempTree } from '../../tools/lib/fake-host.ts';

test('the names in a certificate as Node prints it', async () => {
  using tree = new TempTree();
  const ca = await CertificateAuthority.create(tree.root);
  const { cert } = await ca.issue('client', [
    'DNS:prometheus.example.org',
    'IP:10.0.0.1',
    'IP:fd00::1',
    'URI:spiffe://example.org/prometheus',
    'email:ops@example.org',
  ]);
  const printed = new X509Certificate(cert).subjectAltName;
  expect(subjectNames(printed!)).toEqual([
    'prometheus.example.org',
    '10.0.0.1',
    'FD00:0:0:0:0:0:0:1',
    'spiffe://example.org/prometheus',
    'ops@example.org',
  ]);
  for (const name of [
    'prometheus.example.org',
    '10.0.0.1',
    'fd00::1',
    'spiffe://example.org/prometheus',
    'ops@example.org',
  ]) {
    expect(isAllowed(printed, ['nobody', name]), name).toBe(true);
  }
  for (const name of ['example.org', 'PROMETHEUS.example.org', '10.0.0.10', 'fd00::10', '']) {
    expect(isAllowed(printed, [name]), name).toBe(false);
  }
});

test.each([
  ['a name with a comma in it is one name', 'DNS:"a, DNS:admin", DNS:b', ['a, DNS:admin', 'b']],
  ['a quote in a name does not end it', 'DNS:"a\\", DNS:admin"', ['a", DNS:admin']],
  ['other kinds are left out', 'othername:<unsupported>, DNS:a, DirName:"CN = x, DNS:admin"', ['a']],
  ['what cannot be read is not trusted in part', 'DNS:admin, DNS:"b', []],
  ['none', '', []],
])('%s', (_what, text, names) => expect(subjectNames(text)).toEqual(names));

test('without names nobody is allowed', () => expect(isAllowed(undefined, ['a', 'undefined', ''])).toBe(false));
