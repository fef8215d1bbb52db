import { request as httpRequest, type IncomingMessage } from 'node:http';
import { request as httpsRequest, type RequestOptions } from 'node:https';

/** How to ask, and for how long. */
export interface WebRequest extends Pick<
  RequestOptions,
  'auth' | 'headers' | 'ca' | 'cert' | 'key' | 'rejectUnauthorized'
> {
  seconds: number;
  /** Ends the request. */
  signal?: AbortSignal;
}

const reasonOf = (error: Error, seconds: number): Error => {
  const isLate = error.name === 'AbortError' || error.name === 'TimeoutError';
  return new Error(isLate ? `no answer within ${seconds} s` : error.message, { cause: error });
};

/** Gets a URL, and resolves to what `read` makes of the response. Rejects with an Error that lacks the address. */
export const get = async <Result>(
  url: URL,
  { seconds, signal, ...options }: WebRequest,
  read: (response: IncomingMessage) => Result | Promise<Result>,
): Promise<Result> => {
  const late = AbortSignal.timeout(seconds * 1e3);
  const all = { ...options, agent: false, signal: signal ? AbortSignal.any([late, signal]) : late };
  const outgoing = url.protocol === 'https:' ? httpsRequest(url, all) : httpRequest(url, all);
  try {
    return await new Promise<Result>((resolve, reject) => {
      outgoing.on('error', reject).on('response', (response) => {
        Promise.resolve(response).then(read).then(resolve, reject);
      });
      outgoing.end();
    });
  } catch (error) {
    throw reasonOf(error as Error, seconds);
  } finally {
    outgoing.destroy();
  }
};
