import { request as httpRequest } from 'node:http';
import { request as httpsRequest } from 'node:https';
import { parseArgs } from 'node:util';
import { UsageError } from '../config/usage-error.ts';

const defaultUrl = 'http://127.0.0.1:10911/-/healthy';

export const healthUsage = `usage: xen-exporter health [FLAGS]

Asks a running exporter whether it answers, and ends with status 0 if so, else 1. For health checks of containers.

  --url=URL       What to ask for (default ${defaultUrl}). A request for a password is an answer; certificates are not looked at.
  --help          Print this text and exit.
`;

/** The status that a request is answered with. Rejects where nobody answers in time. */
const statusOf = (url: URL, timeoutSeconds: number): Promise<number> =>
  new Promise((resolve, reject) => {
    const options = { agent: false, signal: AbortSignal.timeout(timeoutSeconds * 1e3), rejectUnauthorized: false };
    const outgoing = url.protocol === 'https:' ? httpsRequest(url, options) : httpRequest(url, options);
    outgoing.on('error', reject).on('response', (response) => {
      response.resume();
      resolve(response.statusCode!);
    });
    outgoing.end();
  });

/** What `xen-exporter health` prints for these arguments. Throws UsageError, and Error where there is no answer or one of a failure. */
export const healthCommand = async (args: readonly string[], timeoutSeconds = 5): Promise<string> => {
  const { help, url } = parsed(args);
  if (help) return healthUsage;
  const status = await statusOf(url, timeoutSeconds).catch((error: Error) => {
    const reason =
      error.name === 'AbortError' || error.name === 'TimeoutError'
        ? `no answer within ${timeoutSeconds} s`
        : error.message;
    throw new Error(`${url.href}: ${reason}`, { cause: error });
  });
  if (status >= 500) throw new Error(`${url.href}: expected an answer below 500, found ${status}`);
  return `${url.href}: ${status}\n`;
};

const parsed = (args: readonly string[]): { help: boolean; url: URL } => {
  try {
    const { values } = parseArgs({
      args: [...args],
      options: { url: { type: 'string', default: defaultUrl }, help: { type: 'boolean', default: false } },
    });
    const url = URL.parse(values.url);
    if (url === null || !/^https?:$/.test(url.protocol))
      throw new UsageError(`--url=${values.url}: expected a URL of http or https`);
    return { help: values.help, url };
  } catch (error) {
    throw error instanceof UsageError ? error : new UsageError((error as Error).message, { cause: error });
  }
};
