import type { RequestHandler } from 'express';
import { connectionKey } from './connections.ts';

/** Handles requests that come on one connection one after another, each when the response before it has been taken: none of them can pile up work. */
export const inTurn = (handler: RequestHandler): RequestHandler => {
  const lastOn = new WeakMap<object, Promise<void>>();
  return async (request, response, next) => {
    const connection = connectionKey(request);
    const previous = lastOn.get(connection);
    lastOn.set(connection, new Promise((resolve) => response.once('close', resolve)));
    await previous;
    if (!connection.destroyed) await handler(request, response, next);
  };
};
