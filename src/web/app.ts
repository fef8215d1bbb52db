import express, { type ErrorRequestHandler, type Express, type RequestHandler } from 'express';
import { Http2ServerRequest, Http2ServerResponse } from 'node:http2';
import type { Log } from '../host/log.ts';
import { contentTypes } from '../metrics/exposition.ts';
import type { Scraper } from '../scrape/scraper.ts';
import type { WebMetrics } from '../scrape/web-metrics.ts';
import { collectorNames } from './collector-filter.ts';
import { landingPage } from './landing-page.ts';
import type { LiveDiagnosis } from './live-diagnosis.ts';
import { inTurn } from './in-turn.ts';
import { negotiate } from './negotiate.ts';
import type { Handlers } from './server.ts';

export interface WebOptions {
  readonly scraper: Scraper;
  readonly log: Log;
  readonly version: string;
  /** Alerts that have not what they need where only these metrics are, for the landing page. */
  readonly alertsWithoutData: (metrics: ReadonlySet<string>) => readonly { name: string; lacks: readonly string[] }[];
  /** The verdict about this machine, for the landing page and /-/diagnosis. */
  readonly diagnosis: LiveDiagnosis;
  /** The collectors that are switched off, for the landing page. */
  readonly disabled: readonly { name: string; help: string }[];
  /** Access control, which every request passes first. */
  readonly access: RequestHandler;
  readonly metrics: WebMetrics;
  /** Handles /-/reload and returns whether it succeeded. Without it the path does not exist. */
  readonly reload: (() => boolean) | undefined;
  readonly telemetryPath: string;
  readonly timeoutOffsetSeconds: number;
}

// Prometheus's default scrape_timeout, for clients that do not name theirs.
const defaultTimeoutSeconds = 10;
const leastTimeoutSeconds = 0.05;

/**
 * Time that a scrape may take, in seconds: the client's scrape timeout (at most an hour), less an offset for the way
 * there and back.
 */
const scrapeTimeout = (header: string | undefined, offsetSeconds: number): number => {
  const announced = Number(header);
  const seconds = header !== undefined && announced > 0 ? announced : defaultTimeoutSeconds;
  return Math.max(leastTimeoutSeconds, Math.min(seconds, 3600) - offsetSeconds);
};

const notFound: RequestHandler = (_request, response) => {
  response.status(404).type('text/plain').send('Not found\n');
};

/**
 * Runs `handler` for these methods of exactly `path`: no patterns, no trailing slash, no other case. OPTIONS is
 * answered like GET, as exporters in Go do, because load balancers check by it.
 */
const at =
  (path: string, handler: RequestHandler, methods: readonly string[] = ['GET', 'HEAD', 'OPTIONS']): RequestHandler =>
  (request, response, next) => {
    if (request.path !== path) return next();
    if (methods.includes(request.method)) return handler(request, response, next);
    return void response.set('Allow', methods.join(', ')).status(405).type('text/plain').send('Method not allowed\n');
  };

/**
 * Sends who asks for one of these paths with too many slashes, as a proxy does that adds a prefix, to the path itself,
 * as Go's exporters do. Not answered at once: a rule of the proxy about the path would not hold.
 */
const withoutDoubleSlashes =
  (paths: readonly string[]): RequestHandler =>
  (request, response, next) => {
    const path = request.path.replace(/\/{2,}/g, '/');
    if (path === request.path || !paths.includes(path)) return next();
    const query = request.originalUrl.split('?').slice(1).join('?');
    response.redirect(301, query === '' ? path : `${path}?${query}`);
  };

const say =
  (text: string): RequestHandler =>
  (_request, response) => {
    response.type('text/plain').send(`${text}\n`);
  };

const createExpress = (handlers: readonly (RequestHandler | ErrorRequestHandler)[]): Express => {
  const app = express();
  app.disable('x-powered-by');
  app.disable('etag');
  for (const handler of handlers) app.use(handler);
  return app;
};

/**
 * Express sets its own prototypes on requests and responses, which know HTTP/1 alone; here they stand on those of
 * HTTP/2.
 */
const forHttp2 = (app: Express): Handlers['http2'] => {
  const { getOwnPropertyDescriptors: own } = Object;
  const basedOn = (base: object, shared: object, ofApp: object) =>
    Object.create(Object.create(base, own(shared)) as object, own(ofApp)) as object;
  Object.assign(app, {
    request: basedOn(Http2ServerRequest.prototype, express.request, app.request),
    response: basedOn(Http2ServerResponse.prototype, express.response, app.response),
  });
  return app as unknown as Handlers['http2'];
};

/** The HTTP side: /metrics, the landing page, health, reload. */
export const createApp = (options: WebOptions): Handlers => {
  const { scraper, log, reload, telemetryPath, timeoutOffsetSeconds } = options;

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
    if (page === undefined) {
      options.metrics.refused('requests');
      response.status(503).type('text/plain').send('Too many scrapes under way, try again later\n');
      return;
    }
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

  const landing: RequestHandler = async (_request, response) => {
    const diagnosis = await options.diagnosis.look();
    const collectors = scraper.status();
    const alertsWithoutData = options.alertsWithoutData(new Set(collectors.flatMap(({ metrics }) => metrics)));
    response.type('text/html').send(landingPage({ ...options, collectors, alertsWithoutData, diagnosis }));
  };

  const diagnosed: RequestHandler = async (_request, response) => {
    const { verdict } = await options.diagnosis.look();
    const { verdictJson } = await import('../diagnosis/json.ts');
    if (verdict) response.type('application/json').send(verdictJson(verdict));
    else
      response.status(503).type('text/plain').send('No verdict before two scrapes have come since the first request\n');
  };

  const reloaded: RequestHandler = (_request, response) => {
    if (reload?.() === true) response.type('text/plain').send('Web config file read again\n');
    else response.status(500).type('text/plain').send('Web config file cannot be used, see the log\n');
  };

  const handlers = [
    options.access,
    inTurn((_request, _response, next) => next()),
    withoutDoubleSlashes([telemetryPath, '/', '/-/healthy', '/-/ready', '/-/diagnosis']),
    at(telemetryPath, metrics),
    at('/-/healthy', say('Healthy')),
    at('/-/ready', say('Ready')),
    at('/-/diagnosis', diagnosed),
    ...(reload ? [at('/-/reload', reloaded, ['POST', 'PUT'])] : []),
    at('/', landing),
    notFound,
    failed,
  ];
  return { http1: createExpress(handlers), http2: forHttp2(createExpress(handlers)) };
};
