import { createPrivateKey, X509Certificate, type KeyObject } from 'node:crypto';
import { createSecureContext } from 'node:tls';
import type { KeyPath } from '../../config/issue.ts';
import { cipherList, curves, tlsVersions } from './tls-names.ts';
import type { PemSource, TlsConfig } from './web-config.ts';

/** TLS files, read and checked for consistency. */
export interface Identity {
  readonly cert: string;
  readonly key: string;
  readonly ca: string | undefined;
  readonly validity: Validity;
  /** Validity of the client CA certificate that expires first. */
  readonly caValidity: Validity | undefined;
}

/** Validity period of a certificate, in seconds since 1970. */
export interface Validity {
  readonly from: number;
  readonly to: number;
}

const validityOf = ({ validFrom, validTo }: X509Certificate): Validity => ({
  from: Date.parse(validFrom) / 1e3,
  to: Date.parse(validTo) / 1e3,
});

/** An error with the place of the fault in the web config file. */
export class CertificateError extends Error {
  readonly path: KeyPath;

  constructor(key: string, message: string) {
    super(message);
    this.path = ['tls_server_config', key];
  }
}

const pemBlocks = (pem: string): string[] =>
  pem.match(/-----BEGIN CERTIFICATE-----[^-]*-----END CERTIFICATE-----/g) ?? [];

const certificatesOf = (source: PemSource, pem: string): X509Certificate[] => {
  const blocks = pemBlocks(pem);
  if (blocks.length === 0) throw new CertificateError(source.key, 'expected a PEM certificate, found none');
  try {
    return blocks.map((block) => new X509Certificate(block));
  } catch {
    throw new CertificateError(source.key, 'expected a PEM certificate, found one that cannot be read');
  }
};

const privateKeyOf = (source: PemSource, pem: string): KeyObject => {
  try {
    return createPrivateKey(pem);
  } catch {
    throw new CertificateError(source.key, 'expected a PEM private key without a passphrase');
  }
};

/** Options of a `tls.Server` or a secure context. */
export const secureContextOptions = (tls: TlsConfig, { cert, key, ca }: Identity) => ({
  cert,
  key,
  ...(ca !== undefined && { ca }),
  minVersion: tlsVersions[tls.minVersion],
  maxVersion: tlsVersions[tls.maxVersion],
  ciphers: cipherList(tls.cipherSuites, tls.minVersion),
  honorCipherOrder: tls.prefersOwnOrder,
  ...(tls.curves.length > 0 && { ecdhCurve: tls.curves.map((name) => curves[name]).join(':') }),
});

/**
 * Loads certificate, key and client CA. `read` returns the text of a source. Throws CertificateError, and errors of
 * `read`.
 */
export const loadIdentity = (tls: TlsConfig, read: (source: PemSource) => string): Identity => {
  const cert = read(tls.cert);
  const key = read(tls.privateKey);
  const ca = tls.clientCa && read(tls.clientCa);
  const [leaf] = certificatesOf(tls.cert, cert);
  if (!leaf!.checkPrivateKey(privateKeyOf(tls.privateKey, key))) {
    throw new CertificateError(tls.privateKey.key, `expected the private key of the certificate in ${tls.cert.key}`);
  }
  const [caValidity] = (tls.clientCa ? certificatesOf(tls.clientCa, ca!) : [])
    .map(validityOf)
    .sort((one, other) => one.to - other.to);
  const identity = { cert, key, ca, validity: validityOf(leaf!), caValidity };
  try {
    createSecureContext(secureContextOptions(tls, identity));
  } catch (error) {
    throw new CertificateError(tls.cert.key, `OpenSSL refuses it: ${(error as Error).message}`);
  }
  return identity;
};
