import { AsyncLocalStorage } from 'node:async_hooks';
import { constants as cryptoConstants } from 'node:crypto';
import { lookup } from 'node:dns/promises';
import { once } from 'node:events';
import {
  createServer as createHttpServer,
  ServerResponse,
  type IncomingMessage,
  type RequestListener,
} from 'node:http';
import { createServer as createHttp2Server, type Http2ServerRequest, type Http2ServerResponse } from 'node:http2';
import { createServer, isIP, type AddressInfo, type Server, type Socket } from 'node:net';
import { createServer as createTlsServer, type Server as TlsServer } from 'node:tls';
import { listenOnPath } from '../host/unix-socket.ts';
import type { WebMetrics } from '../scrape/web-metrics.ts';
import { admitsClient } from './client-certificates.ts';
import { secureContextOptions } from './config/certificates.ts';
import type { LoadedConfig } from './config/web-config-file.ts';
import { Connections, isGone, mostRequests, type Connection, type ConnectionLimits } from './connections.ts';
import type { CurrentConfig } from './current-config.ts';
import { PacedSocket } from './paced-socket.ts';
import { Turns } from './turns.ts';

/**
 * Address to listen on: host (empty for all addresses) and port, path of a Unix socket, or descriptor of a bound
 * socket.
 */
export type ListenAddress =
  { readonly host: string; readonly port: number } | { readonly path: string } | { readonly fd: number };

const formatAddress = (address: AddressInfo | string | null, given: ListenAddress): string => {
  // Node does not know the path of an inherited Unix socket.
  if (address === null) return `unix:fd=${'fd' in given ? given.fd : ''}`;
  if (typeof address === 'string') return `unix:${address}`;
  return address.family === 'IPv6' ? `[${address.address}]:${address.port}` : `${address.address}:${address.port}`;
};

/** Like Go's exporters, prefer the IPv4 address of a name such as `localhost`. */
const portOf = async ({ host, port }: { host: string; port: number }): Promise<{ host?: string; port: number }> =>
  host === '' || isIP(host.split('%', 1)[0]!) !== 0
    ? { port, ...(host !== '' && { host }) }
    : { port, host: (await lookup(host, { order: 'ipv4first' })).address };

const notListening = (fd: number, cause: Error): Error =>
  new Error(`file descriptor ${fd}: expected a listening stream socket, found none (${cause.message})`, { cause });

/** Request handlers of the same app for each protocol. */
export interface Handlers {
  readonly http1: RequestListener;
  readonly http2: (request: Http2ServerRequest, response: Http2ServerResponse) => void;
}

export interface FrontDoorOptions {
  readonly handlers: Handlers;
  readonly limits: ConnectionLimits;
  readonly config: CurrentConfig;
  readonly metrics: WebMetrics;
}

// Maximum size of a request's line and headers, in bytes.
const mostHeaderBytes = 16 << 10;
// Above this an HTTP/2 connection refuses new streams.
const mostSessionMegabytes = 2;
// Number of streams that a client may reset at once, and then per second. Beyond it the connection ends: each reset
// stream has cost a request but no longer counts as unanswered.
const mostResets = { streamResetBurst: 16, streamResetRate: 1 };

/**
 * Listens, handles TLS if the web config has it, and passes requests on. It accepts sockets itself and injects them
 * into servers that do not listen. So TLS can be changed, started and stopped at run time.
 */
export class FrontDoor {
  readonly #connections: Connections;
  readonly #config: CurrentConfig;
  readonly #metrics: WebMetrics;
  readonly #turns = new Turns();
  readonly #http1;
  readonly #http2;
  readonly #listeners: Server[] = [];
  /** Connections by HTTP/1 socket or HTTP/2 session. */
  readonly #connectionOf = new WeakMap<object, Connection>();
  /** The connection whose handshake is running. */
  readonly #shakingHands = new AsyncLocalStorage<Connection>();
  #tls: TlsServer | undefined;
  #tlsKey = '';

  constructor({ handlers, limits, config, metrics }: FrontDoorOptions) {
    this.#config = config;
    this.#metrics = metrics;
    this.#connections = new Connections(limits, metrics);
    // Connections have their own time limits, the same for all protocols.
    this.#http1 = createHttpServer(
      {
        maxHeaderSize: mostHeaderBytes,
        keepAliveTimeout: 0,
        headersTimeout: 0,
        requestTimeout: 0,
        ServerResponse: this.#countedResponse(),
      },
      handlers.http1,
    );
    this.#http2 = createHttp2Server(
      {
        maxSessionMemory: mostSessionMegabytes,
        ...mostResets,
        settings: { maxConcurrentStreams: mostRequests, maxHeaderListSize: mostHeaderBytes, enablePush: false },
      },
      (request, response) => {
        // The client may have disconnected meanwhile.
        if (request.stream.session === undefined) return;
        const connection = this.#begin(request.stream.session, response);
        this.#takeTurn(connection, () => {
          if (!isGone(request)) handlers.http2(request, response);
        });
      },
    );
    this.#http2.on('session', (session) => {
      const connection = this.#shakingHands.getStore();
      if (connection === undefined) return session.destroy();
      connection.isMultiplexed = true;
      connection.end = () => session.close();
      this.#connectionOf.set(session, connection);
      session.on('error', () => {});
    });
    config.onChange((value) => this.#useTls(value));
  }

  /**
   * Listens at an address and resolves to it, with the port that the system assigned. Rejects with the system's error.
   */
  async listen(address: ListenAddress): Promise<string> {
    // Like HTTP servers: a client that has finished sending may still want the answer.
    const server = createServer({ allowHalfOpen: true, noDelay: true }, (socket) => this.#accept(socket));
    if ('path' in address) {
      await listenOnPath(server, address.path);
    } else {
      server.listen('fd' in address ? address : await portOf(address));
      await once(server, 'listening').catch((error: Error) => {
        throw 'fd' in address ? notListening(address.fd, error) : error;
      });
    }
    // accept() fails if the process or the machine is out of file descriptors.
    server.on('error', () => this.#metrics.refused('connections'));
    this.#listeners.push(server);
    return formatAddress(server.address(), address);
  }

  /** Stops listening, gives responses up to `graceSeconds` to finish, then closes every connection. */
  async close(graceSeconds: number): Promise<void> {
    const closed = this.#listeners.map((server) => new Promise<void>((resolve) => void server.close(() => resolve())));
    this.#connections.retire({ isLast: true });
    const timer = setTimeout(() => this.#connections.cutAll(), graceSeconds * 1e3);
    await Promise.all(closed);
    clearTimeout(timer);
  }

  #accept(socket: Socket): void {
    this.#config.refresh();
    const connection = this.#connections.admit(socket);
    if (connection === undefined) return;
    const tls = this.#tls;
    if (tls === undefined) return this.#speakHttp1(socket, connection);
    // TLS has no half-closed connections.
    socket.allowHalfOpen = false;
    this.#shakingHands.run(connection, () => tls.emit('connection', socket));
  }

  #speakHttp1(socket: Socket, connection: Connection): void {
    const paced = this.#pace(socket, connection, () => connection.takesMore);
    connection.end = () => paced.destroySoon();
    connection.answered = () => paced.readSoon();
    this.#connectionOf.set(paced, connection);
    this.#http1.emit('connection', paced);
  }

  // Window and settings frames of open streams arrive between requests. HTTP/2 itself limits them.
  #speakHttp2(socket: Socket, connection: Connection): void {
    this.#http2.emit(
      'connection',
      this.#pace(socket, connection, () => true),
    );
  }

  #pace(socket: Socket, connection: Connection, mayRead: () => boolean): PacedSocket {
    return new PacedSocket(socket, mayRead, (work) => this.#takeTurn(connection, work));
  }

  /** Counts every request, including those that Node answers: without a host, or with an unsupported expectation. */
  #countedResponse(): typeof ServerResponse {
    const begin = (request: IncomingMessage, response: ServerResponse) => this.#begin(request.socket, response);
    return class<Request extends IncomingMessage> extends ServerResponse<Request> {
      constructor(...args: ConstructorParameters<typeof ServerResponse<Request>>) {
        super(...args);
        begin(args[0], this);
      }
    };
  }

  #begin(key: object, response: Parameters<Connections['begin']>[1]): Connection {
    const connection = this.#connectionOf.get(key)!;
    this.#connections.begin(connection, response);
    return connection;
  }

  #takeTurn(connection: Connection, work: () => void): void {
    this.#turns.take(connection.client.key, connection, work);
  }

  #useTls(config: LoadedConfig): void {
    const { tls, http2, identity } = config;
    const key = JSON.stringify([tls, http2, identity]);
    if (key === this.#tlsKey) return;
    this.#tlsKey = key;
    this.#tls = tls && identity && this.#createTls(config, tls, identity);
    // Clients admitted under the old config must reconnect.
    this.#connections.retire({ isLast: false });
  }

  #createTls(
    { http2 }: LoadedConfig,
    tls: NonNullable<LoadedConfig['tls']>,
    identity: NonNullable<LoadedConfig['identity']>,
  ): TlsServer {
    const server = createTlsServer({
      ...secureContextOptions(tls, identity),
      requestCert: tls.clientAuth !== 'NoClientCert',
      // `admitsClient` applies the policy.
      rejectUnauthorized: false,
      ALPNProtocols: http2 ? ['h2', 'http/1.1'] : ['http/1.1'],
      // A resumed session would bypass the checks of the current config.
      secureOptions: cryptoConstants.SSL_OP_NO_TICKET | cryptoConstants.SSL_OP_NO_RENEGOTIATION,
    });
    server.on('tlsClientError', (_error, socket) => {
      this.#metrics.refused('handshake');
      socket.destroy();
    });
    server.on('secureConnection', (socket) => {
      const connection = this.#shakingHands.getStore();
      socket.on('error', () => {});
      if (connection === undefined || !admitsClient(socket, tls)) {
        this.#metrics.refused('client_certificate');
        socket.destroy();
      } else if (socket.alpnProtocol === 'h2') {
        this.#speakHttp2(socket, connection);
      } else {
        this.#speakHttp1(socket, connection);
      }
    });
    return server;
  }
}
