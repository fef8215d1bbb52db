import type { RequestHandler } from 'express';

/** Lets at most `most` requests be in `handler` at once, from the request until its response is written or given up; others get a 503. */
export const limitRequests = (most: number, handler: RequestHandler): RequestHandler => {
  let inFlight = 0;
  return (request, response, next) => {
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
    return handler(request, response, next);
  };
};
