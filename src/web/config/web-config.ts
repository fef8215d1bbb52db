import * as v from 'valibot';
import type { ConfigFile } from '../../config/config-file.ts';
import { describeAt, describeIssue, dottedKeyHint, type KeyPath } from '../../config/issue.ts';
import { asBoolean } from '../../config/option.ts';
import { usageErrorOf } from '../../config/usage-error.ts';
import { parseDuration } from './duration.ts';
import { cipherSuites, curves, sufficeForHttp2, tls13Suites, tlsVersions, weaknessOf } from './tls-names.ts';

/**
 * Go's client certificate policies: whether clients need a certificate, and whether the client CA must have signed it.
 */
export const clientAuthTypes = {
  NoClientCert: { requires: false, verifies: false },
  RequestClientCert: { requires: false, verifies: false },
  RequireAnyClientCert: { requires: true, verifies: false },
  VerifyClientCertIfGiven: { requires: false, verifies: true },
  RequireAndVerifyClientCert: { requires: true, verifies: true },
} as const;

export type ClientAuthType = keyof typeof clientAuthTypes;

// Each step doubles bcrypt's time. One try at 18 takes about 15 s of CPU.
const mostCost = 18;

const custom = <Value>(expected: string | ((value: unknown) => string), holds: (value: unknown) => boolean) =>
  v.custom<Value>(holds, typeof expected === 'string' ? expected : ({ input }) => expected(input));

const isText = (value: unknown): value is string => typeof value === 'string';
const nameOf = (names: Readonly<Record<string, string>> | readonly string[], what: string) => {
  const known = Array.isArray(names) ? (names as readonly string[]) : Object.keys(names);
  return custom<string>(`${what} out of ${known.join(', ')}`, (value) => isText(value) && known.includes(value));
};

const text = custom<string>('a text', isText);
const flag = v.pipe(
  custom<unknown>('true or false', (value) => asBoolean(value) !== undefined),
  v.transform((value) => asBoolean(value)!),
);
const isMapping = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);
const listOf = <Item>(item: v.GenericSchema<unknown, Item>) => v.array(item, 'a list');

const suiteNames = [...Object.keys(cipherSuites), ...tls13Suites];
const suite = custom<string>(
  (value) => {
    const weakness = isText(value) ? weaknessOf(value) : undefined;
    return weakness === undefined
      ? `a cipher suite: ${suiteNames.join(', ')}`
      : `a secure cipher suite (this one ${weakness})`;
  },
  (value) => isText(value) && suiteNames.includes(value),
);

// Hashes that OpenBSD's and Go's bcrypt read alike. $2x$ marks hashes of a faulty implementation.
const hashForm = /^\$2[aby]\$(\d\d)\$[./A-Za-z0-9]{53}$/;
const isHash = (value: unknown): value is string => {
  const cost = Number(isText(value) ? hashForm.exec(value)?.[1] : NaN);
  return cost >= 4 && cost <= mostCost;
};

// A line break would start another header.
const headerValue = custom<string>(
  'a text of printable ASCII characters',
  (value) => isText(value) && /^[\x20-\x7e]*$/.test(value),
);

const fileSchema = v.strictObject({
  tls_server_config: v.optional(
    v.strictObject({
      cert: v.optional(text),
      key: v.optional(text),
      client_ca: v.optional(text),
      cert_file: v.optional(text),
      key_file: v.optional(text),
      client_ca_file: v.optional(text),
      // RequireClientCert is the toolkit's old name.
      client_auth_type: v.optional(nameOf([...Object.keys(clientAuthTypes), 'RequireClientCert'], 'a policy')),
      client_allowed_sans: v.optional(listOf(text)),
      min_version: v.optional(nameOf(tlsVersions, 'a version')),
      max_version: v.optional(nameOf(tlsVersions, 'a version')),
      cipher_suites: v.optional(listOf(suite)),
      prefer_server_cipher_suites: v.optional(flag),
      curve_preferences: v.optional(listOf(nameOf(curves, 'a curve'))),
    }),
  ),
  http_server_config: v.optional(
    v.strictObject({
      http2: v.optional(flag),
      headers: v.optional(
        v.strictObject({
          'Content-Security-Policy': v.optional(headerValue),
          'X-Frame-Options': v.optional(nameOf(['deny', 'sameorigin'], 'a value')),
          'X-Content-Type-Options': v.optional(nameOf(['nosniff'], 'a value')),
          'X-XSS-Protection': v.optional(headerValue),
          'Strict-Transport-Security': v.optional(headerValue),
        }),
      ),
    }),
  ),
  // Not v.record, which drops keys such as `constructor`.
  basic_auth_users: v.optional(
    custom<Readonly<Record<string, unknown>>>('a mapping of user names to bcrypt hashes', isMapping),
  ),
  rate_limit: v.optional(
    v.strictObject({
      interval: v.optional(
        custom<string | number>(
          'a duration such as 100ms or 1m30s, not below 0',
          (value) => parseDuration(value) !== undefined,
        ),
      ),
      burst: v.optional(
        custom<number>('a whole number of at least 0', (value) => Number.isSafeInteger(value) && Number(value) >= 0),
      ),
    }),
  ),
});

type FileContent = v.InferOutput<typeof fileSchema>;
type TlsContent = NonNullable<FileContent['tls_server_config']>;

/** PEM text in the file itself or in another file. */
export type PemSource = { readonly key: string } & ({ readonly text: string } | { readonly file: string });

/** Checked TLS settings. The files that they name are not read yet. */
export interface TlsConfig {
  readonly cert: PemSource;
  readonly privateKey: PemSource;
  readonly clientCa: PemSource | undefined;
  readonly clientAuth: ClientAuthType;
  readonly allowedSans: readonly string[] | undefined;
  readonly minVersion: keyof typeof tlsVersions;
  readonly maxVersion: keyof typeof tlsVersions;
  /** Go's names; empty for all. */
  readonly cipherSuites: readonly string[];
  readonly prefersOwnOrder: boolean;
  /** Go's names; empty for the default. */
  readonly curves: readonly string[];
}

/** At most `burst` requests at once, and one more per interval. */
export interface RateLimit {
  readonly intervalSeconds: number;
  readonly burst: number;
}

/** A web config file of exporter-toolkit. */
export interface WebConfig {
  readonly tls: TlsConfig | undefined;
  readonly http2: boolean;
  /** Headers of every response. */
  readonly headers: readonly (readonly [name: string, value: string])[];
  /** bcrypt hashes by user. If empty, no password is needed. */
  readonly users: ReadonlyMap<string, string>;
  readonly rateLimit: RateLimit | undefined;
}

/** Config without a file: plain HTTP without access control. */
export const openConfig: WebConfig = {
  tls: undefined,
  http2: true,
  headers: [],
  users: new Map(),
  rateLimit: undefined,
};

// Like exporter-toolkit, treat sections without keys, keys without a value, and empty text of these keys as absent.
const mayBeEmpty = /^(?:cert|key|client_ca)(?:_file)?$|^client_auth_type$/;

// Keep users without a hash and SANs without a list as faults: dropping them would admit more clients.
const withoutEmpty = (content: unknown): unknown => {
  if (!isMapping(content)) return content;
  const isEmpty = (section: string, key: string, value: unknown): boolean =>
    (value === null && key !== 'client_allowed_sans') ||
    (value === '' && section === 'tls_server_config' && mayBeEmpty.test(key));
  const sections = Object.entries(content)
    .filter(([, section]) => section !== null && !(isMapping(section) && Object.keys(section).length === 0))
    .map(([name, section]) => {
      if (!isMapping(section) || name === 'basic_auth_users') return [name, section];
      return [name, Object.fromEntries(Object.entries(section).filter(([key, value]) => !isEmpty(name, key, value)))];
    });
  return Object.fromEntries(sections);
};

const isSecret = ([section, key]: KeyPath): boolean =>
  section === 'basic_auth_users' || (section === 'tls_server_config' && key === 'key');

/** Throws UsageError with a line for each unknown or unusable key. */
export const parseWebConfig = (file: ConfigFile): WebConfig => {
  const result = v.safeParse(fileSchema, withoutEmpty(file.content));
  if (!result.success) {
    const options = { schema: fileSchema, isSecret };
    throw usageErrorOf(
      result.issues,
      (issue) => `${describeIssue(file, issue, options)}${dottedKeyHint(fileSchema, issue)}`,
    );
  }
  const {
    tls_server_config: tls,
    http_server_config: http,
    basic_auth_users: users,
    rate_limit: limit,
  } = result.output;
  const faults: Parameters<Fault>[] = [];
  const fault: Fault = (...each) => void faults.push(each);
  const config: WebConfig = {
    tls: tlsOf(tls, fault),
    http2: http?.http2 ?? true,
    headers: Object.entries(http?.headers ?? {}).filter((header): header is [string, string] => header[1] !== ''),
    users: usersOf(users, fault),
    rateLimit: rateLimitOf(limit, fault),
  };
  const suites = config.tls?.cipherSuites ?? [];
  if (config.http2 && config.tls?.minVersion !== 'TLS13' && suites.length > 0 && !sufficeForHttp2(suites)) {
    fault(
      ['tls_server_config', 'cipher_suites'],
      'expected TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256 or TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256, which HTTP/2 needs, or http_server_config.http2: false',
    );
  }
  if (faults.length > 0) throw usageErrorOf(faults, ([path, what]) => describeAt(file, path, what));
  return config;
};

type Fault = (path: KeyPath, what: string) => void;

const usersOf = (given: FileContent['basic_auth_users'], fault: Fault): ReadonlyMap<string, string> => {
  const users = new Map<string, string>();
  for (const [user, hash] of Object.entries(given ?? {})) {
    if (isHash(hash)) users.set(user, hash);
    else fault(['basic_auth_users', user], `expected a bcrypt hash ($2y$, $2b$ or $2a$) of cost 4 to ${mostCost}`);
  }
  return users;
};

const tlsOf = (content: TlsContent | undefined, fault: Fault): TlsConfig | undefined => {
  const section = 'tls_server_config';
  if (content === undefined) return undefined;

  const pem = (key: 'cert' | 'key' | 'client_ca'): PemSource | undefined => {
    const inline = content[key];
    const file = content[`${key}_file`];
    if (inline !== undefined && file !== undefined) fault([section, key], `expected ${key} or ${key}_file, found both`);
    if (file !== undefined) return { key: `${key}_file`, file };
    return inline === undefined ? undefined : { key, text: inline };
  };
  const required = (key: 'cert' | 'key'): PemSource => {
    const source = pem(key);
    if (source === undefined) fault([section], `expected ${key} or ${key}_file, found neither`);
    return source ?? { key, text: '' };
  };

  const { client_auth_type: policy = 'NoClientCert', client_allowed_sans: allowedSans } = content;
  const clientAuth = (policy === 'RequireClientCert' ? 'RequireAnyClientCert' : policy) as ClientAuthType;
  const clientCa = pem('client_ca');
  const { requires, verifies } = clientAuthTypes[clientAuth];
  if (clientCa !== undefined && clientAuth === 'NoClientCert') {
    fault([section, clientCa.key], 'expected a client_auth_type that requests certificates, found NoClientCert');
  }
  if (clientCa === undefined && verifies) {
    fault(
      [section, 'client_auth_type'],
      `${clientAuth} expects client_ca or client_ca_file, found neither: a certificate of any public CA would be accepted`,
    );
  }
  if (allowedSans !== undefined && !requires) {
    fault(
      [section, 'client_allowed_sans'],
      `expected client_auth_type RequireAndVerifyClientCert or RequireAnyClientCert, found ${clientAuth}: without a certificate no name can match`,
    );
  }

  const { min_version = 'TLS12', max_version = 'TLS13' } = content;
  const [minVersion, maxVersion] = [min_version, max_version] as (keyof typeof tlsVersions)[];
  const order = Object.keys(tlsVersions);
  if (order.indexOf(min_version) > order.indexOf(max_version)) {
    const key = content.min_version === undefined ? 'max_version' : 'min_version';
    fault([section, key], `expected min_version (${min_version}) to be at most max_version (${max_version})`);
  }
  return {
    cert: required('cert'),
    privateKey: required('key'),
    clientCa,
    clientAuth,
    allowedSans,
    minVersion: minVersion!,
    maxVersion: maxVersion!,
    cipherSuites: content.cipher_suites ?? [],
    prefersOwnOrder: content.prefer_server_cipher_suites ?? true,
    curves: content.curve_preferences ?? [],
  };
};

const rateLimitOf = (given: FileContent['rate_limit'], fault: Fault): RateLimit | undefined => {
  const intervalSeconds = parseDuration(given?.interval ?? 0)!;
  const burst = given?.burst ?? 0;
  if (intervalSeconds === 0) {
    if (burst > 0 && given?.interval === undefined)
      fault(['rate_limit', 'burst'], 'expected interval with burst, found none');
    return undefined;
  }
  if (burst === 0) fault(['rate_limit'], 'expected a burst of at least 1: with 0 every request is refused');
  return { intervalSeconds, burst };
};
