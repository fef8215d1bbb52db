import express, { type ErrorRequestHandler, type Express, type RequestHandler } from 'express';
import type { Log } from '../host/log.ts';
import { contentTypes } from '../metrics/exposition.ts';
import type { Scraper } from '../scrape/scraper.ts';
import { collectorNames } from './collector-filter.ts';
import { landingPage } from './landing-page.ts';
import { limitRequests } from './limit-requests.ts';
import { negotiate } from './negotiate.ts';
import { scrapeTimeout } from './scrape-timeout.ts';

export interface WebOptions {
  readonly scraper: Scraper;
  readonly log: Log;
  readonly version: string;
  /** Alerts that have not what they need where only these metrics are, for the landing page. */
  readonly blindAlerts: (metrics: ReadonlySet<string>) => readonly { name: string; lacks: readonly string[] }[];
  /** The collectors that are switched off, for the landing page. */
  readonly disabled: readonly { name: string; help: string }[];
  readonly telemetryPath: string;
  readonly maxRequests: number;
  readonly timeoutOffsetSeconds: number;
}

/** Runs `handler` for GET and HEAD of exactly `path`: no patterns, no trailing slash, no other case. */
const at =
  (path: string, handler: RequestHandler): RequestHandler =>
  (request, response, next) => {
    if (request.path !== path) return next();
    if (request.method === 'GET' || request.method === 'HEAD') return handler(request, response, next);
    return void response.set('Allow', 'GET, HEAD').status(405).type('text/plain').send('Method not allowed\n');
  };

const say =
  (text: string): RequestHandler =>
  (_request, response) => {
    response.type('text/plain').send(`${text}\n`);
  };

/** The HTTP side: /metrics, the landing page, health. */
export const createApp = (options: WebOptions): Express => {
  const { scraper, log, telemetryPath, maxRequests, timeoutOffsetSeconds } = options;

  const metrics: RequestHandler = async (request, response) => {
    const names = collectorNames(request.originalUrl, scraper.names);
    if (typeof names === 'string') {
      response.status(400).type('text/plain').send(`${names}\n`);
      return;
    }
    const format = negotiate(request.get('Accept'));
    const timeoutSeconds = scrapeTimeout(request.get('X-Prometheus-Scrape-Timeout-Seconds'), timeoutOffsetSeconds);
    const encoding = request.acceptsEncodings('gzip', 'identity') === 'gzip' ? 'gzip' : 'identity';
    const page = await scraper.exposition({ format, encoding, timeoutSeconds, ...(names && { names }) });
    // Not response.type(): Express would write the parameters its own way, and Prometheus reads them strictly.
    response.setHeader('Content-Type', contentTypes[format]);
    response.setHeader('Vary', 'Accept, Accept-Encoding');
    if (encoding === 'gzip') response.setHeader('Content-Encoding', encoding);
    response.setHeader('Content-Length', page.length);
    response.end(page);
  };

  const failed: ErrorRequestHandler = (error: Error & { status?: number }, request, response, next) => {
    if (response.headersSent) return next(error);
    const status = error.status ?? 500;
    if (status >= 500) log.error('Request failed', { path: request.path, err: error.message });
    response
      .status(status)
      .type('text/plain')
      .send(status >= 500 ? 'Internal error\n' : 'Bad request\n');
  };

  const app = express();
  app.disable('x-powered-by');
  app.disable('etag');
  app.use(at(telemetryPath, limitRequests(maxRequests, metrics)));
  app.use(at('/-/healthy', say('Healthy')));
  app.use(at('/-/ready', say('Ready')));
  app.use(
    at('/', (_request, response) => {
      const collectors = scraper.status();
      const blind = options.blindAlerts(new Set(collectors.flatMap(({ metrics }) => metrics)));
      response.type('text/html').send(landingPage({ ...options, collectors, blind }));
    }),
  );
  app.use((_request, response) => {
    response.status(404).type('text/plain').send('Not found\n');
  });
  app.use(failed);
  return app;
};
