import type { RequestHandler } from 'express';
import { setTimeout as delay } from 'node:timers/promises';
import { connectionKey, isGone } from './connections.ts';

const longestRestMs = 500;

/**
 * Handles the requests of one connection in sequence, each after the previous response has been read, so none of them
 * can pile up work. A request that arrived before that waits as long as the previous one took, at most half a second.
 * Such a connection gets half of the time.
 */
export const inTurn = (handler: RequestHandler): RequestHandler => {
  const lastOn = new WeakMap<object, Promise<number>>();
  return async (request, response, next) => {
    const connection = connectionKey(request);
    const previous = lastOn.get(connection);
    let begin = Infinity;
    const taken = new Promise<number>((resolve) => {
      response.once('close', () => {
        if (lastOn.get(connection) === taken) lastOn.delete(connection);
        resolve(Math.max(0, performance.now() - begin));
      });
    });
    lastOn.set(connection, taken);
    if (previous) await delay(Math.min(await previous, longestRestMs));
    begin = performance.now();
    if (!isGone(request)) await handler(request, response, next);
  };
};
