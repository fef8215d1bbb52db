import type { RequestHandler } from 'express';
import type { WebMetrics } from '../scrape/web-metrics.ts';
import { connectionKey } from './connections.ts';

/**
 * Lets at most `most` requests be in `handler` at once; others get a 503. Requests that a client sends on one connection without waiting for their
 * responses are handled one after another: one client that never reads what it asked for takes no place but its own.
 */
export const limitRequests = (most: number, metrics: WebMetrics, handler: RequestHandler): RequestHandler => {
  let inFlight = 0;
  const lastOn = new WeakMap<object, Promise<void>>();
  return async (request, response, next) => {
    const connection = connectionKey(request);
    const previous = lastOn.get(connection);
    lastOn.set(connection, new Promise((resolve) => response.once('close', resolve)));
    await previous;
    if (connection.destroyed) return;
    if (inFlight >= most) {
      metrics.refused('requests');
      response
        .status(503)
        .type('text/plain')
        .send(`Limit of concurrent requests reached (${most}), try again later.\n`);
      return;
    }
    inFlight += 1;
    try {
      await handler(request, response, next);
    } finally {
      inFlight -= 1;
    }
  };
};
