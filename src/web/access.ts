import type { Request, RequestHandler, Response } from 'express';
import type { WebMetrics } from '../scrape/web-metrics.ts';
import type { CurrentConfig } from './current-config.ts';
import { admit, clientOf } from './connections.ts';
import type { Credentials, Passwords } from './passwords.ts';
import { TokenBucket } from './token-bucket.ts';

/** Parses a Basic Authorization header (RFC 7617); undefined for other schemes and if there is none. */
export const basicCredentials = (header: string | undefined): Credentials | undefined => {
  const [, encoded] = /^basic +([A-Za-z0-9+/]+=*)$/i.exec(header ?? '') ?? [];
  if (encoded === undefined) return undefined;
  const bytes = Buffer.from(encoded, 'base64');
  const colon = bytes.indexOf(':');
  if (colon < 0) return undefined;
  return { user: bytes.subarray(0, colon).toString('utf8'), password: bytes.subarray(colon + 1) };
};

const hasBody = (request: Request): boolean => {
  const { 'transfer-encoding': encoding, 'content-length': length } = request.headers;
  const stream = 'stream' in request ? (request.stream as { endAfterHeaders: boolean }) : undefined;
  return encoding !== undefined || Number(length ?? 0) !== 0 || stream?.endAfterHeaders === false;
};

/** Refuses a request and, on HTTP/1, ends the connection: the client must pay for a new one each time. */
const refuse = (request: Request, response: Response, status: number, text: string): void => {
  if (request.httpVersionMajor === 1) response.setHeader('Connection', 'close');
  response.status(status).type('text/plain').send(`${text}\n`);
};

/**
 * Access control, before all other handlers: the web config's headers, rate limit and users. Refuses requests with a
 * body.
 */
export const accessControl = (spec: {
  config: CurrentConfig;
  passwords: Passwords;
  metrics: WebMetrics;
  now: () => number;
}): RequestHandler => {
  const { config, passwords, metrics, now } = spec;
  let bucket: TokenBucket | undefined;
  config.onChange(({ rateLimit }) => {
    if (!rateLimit) bucket = undefined;
    else if (!bucket?.is(rateLimit)) bucket = new TokenBucket(rateLimit, now);
  });

  return async (request, response, next) => {
    config.refresh();
    const { headers, users } = config.value;
    for (const [name, value] of headers) response.setHeader(name, value);
    if (hasBody(request)) {
      metrics.refused('body');
      return refuse(request, response, 413, 'Requests must not have a body');
    }
    if (bucket && !bucket.take()) {
      metrics.refused('rate_limit');
      return refuse(request, response, 429, 'Too many requests');
    }
    const letIn = () => {
      admit(response);
      next();
    };
    if (users.size === 0) return letIn();

    const credentials = basicCredentials(request.headers.authorization);
    const verdict = credentials && (await passwords.check(users, credentials, clientOf(response)));
    if (verdict === 'right') return letIn();
    if (verdict === 'busy') {
      metrics.refused('password_queue');
      response.setHeader('Retry-After', '1');
      return refuse(request, response, 429, 'Too many pending logins, try again later');
    }
    metrics.refused('credentials');
    response.setHeader('WWW-Authenticate', 'Basic realm="xen-exporter", charset="UTF-8"');
    return refuse(request, response, 401, 'Unauthorized');
  };
};
