import type { IncomingMessage } from 'node:http';
import type { RequestOptions } from 'node:https';
import { load } from 'js-yaml';
import * as v from 'valibot';
import { readFileOf } from '../config/config-file.ts';
import { defaultPort } from '../config/global-options.ts';
import { UsageError } from '../config/usage-error.ts';
import type { Target } from '../diagnosis/target.ts';
import { get } from './web-request.ts';

/** An exporter that doctor reads over the network. */
export interface Peer extends Target {
  url: URL;
}

/** How doctor identifies itself to peers, and them. */
export interface PeerAccess {
  user?: string | undefined;
  password?: string | undefined;
  tls: Pick<RequestOptions, 'ca' | 'cert' | 'key'>;
}

const maxPageBytes = 64 << 20;
/** A metric that every exporter of ours has. */
const ownMetric = /^xen_exporter_build_info\{/m;

/** The exporter at `HOST`, `HOST:PORT` or a URL. Undefined for any other text. */
export const parsePeer = (text: string, isHost: boolean): Peer | undefined => {
  const url = URL.parse(/^https?:\/\//.test(text) ? text : `http://${text}`);
  if (url === null || url.username !== '' || url.search !== '' || url.hash !== '') return undefined;
  if (url.port === '' && !/^https?:\/\//.test(text)) url.port = String(defaultPort);
  if (url.pathname === '/') url.pathname = '/metrics';
  return { url, instance: url.host, isHost };
};

const fileSd = v.array(
  v.object({
    targets: v.array(v.string()),
    labels: v.optional(v.record(v.string(), v.string())),
  }),
);

/**
 * The exporters in a file_sd file of Prometheus, JSON or YAML; those with xen_role="host" are hosts. Throws UsageError.
 */
export const readTargetsFile = (file: string): Peer[] => {
  const text = readFileOf(`targets=${file}`, file);
  let content: unknown;
  try {
    content = load(text);
  } catch (error) {
    throw new UsageError(`--targets=${file}: ${(error as Error).message}`);
  }
  const parsed = v.safeParse(fileSd, content);
  if (!parsed.success) {
    const [issue] = parsed.issues;
    const where = v.getDotPath(issue);
    throw new UsageError(
      `--targets=${file}: expected a file_sd file of Prometheus: a list of targets and labels; ${where === null ? '' : `${where}: `}${issue.message}`,
    );
  }
  return parsed.output.flatMap(({ targets, labels = {} }) =>
    targets.map((target) => {
      const { __scheme__: scheme, __metrics_path__: path = '', xen_role: role } = labels;
      const peer = parsePeer(`${scheme === undefined ? '' : `${scheme}://`}${target}${path}`, role === 'host');
      if (!peer) throw new UsageError(`--targets=${file}: expected HOST:PORT, found ${JSON.stringify(target)}`);
      return peer;
    }),
  );
};

const refusals: Readonly<Record<number, string>> = {
  401: 'it asks for another user or password (401); see --user and --password-file',
  403: 'it refuses this client (403)',
  404: 'it has no page of metrics at this path (404)',
};

const pageOf = async (response: IncomingMessage): Promise<string> => {
  const { statusCode: status = 0 } = response;
  if (status !== 200) throw new Error(refusals[status] ?? `expected the status 200, found ${status}`);
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of response as AsyncIterable<Buffer>) {
    chunks.push(chunk);
    if ((bytes += chunk.length) > maxPageBytes) throw new Error(`its page is larger than ${maxPageBytes} bytes`);
  }
  const page = Buffer.concat(chunks).toString();
  if (!ownMetric.test(page)) throw new Error('its page is not that of xen-exporter');
  return page;
};

/**
 * The page of metrics of a peer. Rejects with an Error that says what is wrong, without the address. `signal` ends it.
 */
export const readPeer = (
  { url }: Peer,
  { user, password, tls }: PeerAccess,
  { seconds, signal }: { seconds: number; signal: AbortSignal },
): Promise<string> => {
  const auth = user === undefined ? {} : { auth: `${user}:${password ?? ''}` };
  const headers = { Accept: 'text/plain;version=0.0.4', 'X-Prometheus-Scrape-Timeout-Seconds': String(seconds) };
  return get(url, { ...auth, ...tls, headers, seconds, signal }, pageOf);
};
