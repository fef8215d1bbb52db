/** TLS versions by Go's names, which the file uses, with Node's names. */
export const tlsVersions = { TLS10: 'TLSv1', TLS11: 'TLSv1.1', TLS12: 'TLSv1.2', TLS13: 'TLSv1.3' } as const;

export type TlsVersionName = keyof typeof tlsVersions;

/** Curves by Go's names, with OpenSSL's names. */
export const curves: Readonly<Record<string, string>> = {
  X25519: 'X25519',
  CurveP256: 'P-256',
  CurveP384: 'P-384',
  CurveP521: 'P-521',
};

/** TLS 1.3 suites, which Go and OpenSSL name alike. As in Go, no setting removes them. */
export const tls13Suites = [
  'TLS_AES_128_GCM_SHA256',
  'TLS_AES_256_GCM_SHA384',
  'TLS_CHACHA20_POLY1305_SHA256',
] as const;

/** Cipher suites up to TLS 1.2 by Go's names (tls.CipherSuites()), best first, with OpenSSL's names. */
export const cipherSuites: Readonly<Record<string, string>> = {
  TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256: 'ECDHE-ECDSA-AES128-GCM-SHA256',
  TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256: 'ECDHE-RSA-AES128-GCM-SHA256',
  TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384: 'ECDHE-ECDSA-AES256-GCM-SHA384',
  TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384: 'ECDHE-RSA-AES256-GCM-SHA384',
  TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256: 'ECDHE-ECDSA-CHACHA20-POLY1305',
  TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256: 'ECDHE-RSA-CHACHA20-POLY1305',
  TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA: 'ECDHE-ECDSA-AES128-SHA',
  TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA: 'ECDHE-RSA-AES128-SHA',
  TLS_ECDHE_ECDSA_WITH_AES_256_CBC_SHA: 'ECDHE-ECDSA-AES256-SHA',
  TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA: 'ECDHE-RSA-AES256-SHA',
};

// Every HTTP/2 client must support one of these (RFC 9113 9.2.2).
const http2Suites = ['TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256', 'TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256'];

/** Returns whether HTTP/2 works with these suites, by Go's names. */
export const sufficeForHttp2 = (names: readonly string[]): boolean => names.some((name) => http2Suites.includes(name));

const weaknesses: readonly [pattern: RegExp, weakness: string][] = [
  [/^TLS_RSA_/, 'has no forward secrecy'],
  [/RC4|3DES/, 'has a broken cipher'],
  [/CBC_SHA256$/, 'leaks through timing (Lucky 13)'],
];

/** Why Go calls this suite insecure; undefined for names that Go does not know either. */
export const weaknessOf = (name: string): string | undefined =>
  /^TLS_(?:ECDHE_)?(?:RSA|ECDSA)_WITH_(?:RC4_128|3DES_EDE_CBC|AES_(?:128|256)_(?:CBC|GCM))_SHA(?:256|384)?$/.test(name)
    ? weaknesses.find(([pattern]) => pattern.test(name))?.[1]
    : undefined;

/** OpenSSL's cipher list for these suites by Go's names. No names means all of the table. */
export const cipherList = (names: readonly string[], least: TlsVersionName): string => {
  const listed = (names.length === 0 ? Object.keys(cipherSuites) : names).flatMap((name) => cipherSuites[name] ?? []);
  // OpenSSL 3 allows TLS 1.0 and 1.1, whose handshakes use SHA-1, only at its lowest security level.
  const level = least === 'TLS10' || least === 'TLS11' ? ['@SECLEVEL=0'] : [];
  return [...tls13Suites, ...listed, ...level].join(':');
};
