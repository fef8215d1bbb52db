import type { Socket } from 'node:net';
import type { RequestHandler } from 'express';

/**
 * Lets at most `most` requests be in `handler` at once, from the request until its response is written or given up; others get a 503. Requests
 * that a client sends on one connection without waiting for their responses are handled one after another: one client that never reads what it
 * asked for takes one place, not all.
 */
export const limitRequests = (most: number, handler: RequestHandler): RequestHandler => {
  let inFlight = 0;
  const lastOn = new WeakMap<Socket, Promise<void>>();
  return async (request, response, next) => {
    const { socket } = request;
    const previous = lastOn.get(socket);
    lastOn.set(socket, new Promise((resolve) => response.once('close', resolve)));
    await previous;
    if (socket.destroyed) return;
    if (inFlight >= most) {
      response
        .status(503)
        .type('text/plain')
        .send(`Limit of concurrent requests reached (${most}), try again later.\n`);
      return;
    }
    inFlight += 1;
    response.once('close', () => {
      inFlight -= 1;
    });
    await handler(request, response, next);
  };
};
