import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Http2ServerRequest, Http2ServerResponse } from 'node:http2';
import { isIPv6, type Socket } from 'node:net';
import type { WebMetrics } from '../scrape/web-metrics.ts';

/** Limits of clients in resources and time. */
export interface ConnectionLimits {
  readonly connections: number;
  readonly connectionsPerClient: number;
  /** From the connection, including the TLS handshake, to the end of the first request's headers. */
  readonly headerSeconds: number;
  /** From a response to the next request. */
  readonly idleSeconds: number;
  /** Time for the client to read a finished response. */
  readonly responseSeconds: number;
}

/**
 * Unanswered requests of one connection. At this limit the connection is not read, and HTTP/2 refuses further streams.
 */
export const mostRequests = 8;

// Unread response bytes of all clients. TLS keeps its own copy of each response.
const mostUnreadBytes = 32 << 20;

type Response = ServerResponse | Http2ServerResponse;

/** Connections of one address. */
interface Client {
  readonly key: string;
  count: number;
  /** Size of its unread responses, in bytes. */
  unread: number;
  /** Connections with unread responses, longest-waiting first. */
  readonly waiting: Set<Connection>;
}

/** The client of an address: an IPv4 address or an IPv6 /64 network; empty for a Unix socket. */
export const clientKey = (address: string | undefined): string => {
  if (address === undefined) return '';
  const [, mapped] = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i.exec(address) ?? [];
  if (mapped !== undefined || !isIPv6(address)) return mapped ?? address;
  const [head = '', tail] = address.split('%')[0]!.split('::');
  const groups = head === '' ? [] : head.split(':');
  const after = tail === undefined || tail === '' ? [] : tail.split(':');
  const zeros = tail === undefined ? 0 : 8 - groups.length - after.length;
  return [...groups, ...Array<string>(zeros).fill('0'), ...after].slice(0, 4).join(':');
};

/** A client's connection, from accept() to its end. */
export class Connection {
  readonly socket: Socket;
  readonly client: Client;
  /** Requests whose response is not written or not yet read. */
  requests = 0;
  /** Requests that passed access control. */
  admitted = 0;
  /** Responses that the client is reading. */
  sending = 0;
  /** Bytes that the client has not read yet. */
  unread = 0;
  /** True until its first request. */
  isNew = true;
  /** To be closed as soon as it has no requests. */
  isRetired = false;
  /** True if several requests share it. Incoming bytes may then not be a request. */
  isMultiplexed = false;
  timer: NodeJS.Timeout | undefined;
  /** Closes it as its protocol prescribes. */
  end = (): void => this.cut();
  /** Called after each answered request. */
  answered = (): void => {};

  constructor(socket: Socket, client: Client) {
    this.socket = socket;
    this.client = client;
  }

  /** Whether it has the maximum number of requests. */
  get isFull(): boolean {
    return this.requests >= mostRequests;
  }

  /** Whether its client may send another request. */
  get takesMore(): boolean {
    return !this.isFull && (this.isNew || !this.isRetired);
  }

  /**
   * Whether another connection may replace it: it has no admitted request, waits for its client to read, or is at its
   * request limit.
   */
  get waits(): boolean {
    return this.admitted === 0 || this.sending > 0 || this.isFull;
  }

  /** Closes it immediately and drops unsent data. */
  cut(): void {
    // Only TCP has resets. A reset also frees kernel memory of a client that never reads.
    if (this.socket.remoteAddress === undefined) this.socket.destroy();
    else this.socket.resetAndDestroy();
  }
}

/** By response: call it when its request is admitted. */
const admissions = new WeakMap<object, () => void>();
const clients = new WeakMap<object, Client>();

/** The client of a response: see `clientKey`. */
export const clientOf = (response: object): string => clients.get(response)?.key ?? '';

/** Marks a request as admitted. Until it is answered, no other connection replaces its connection. */
export const admit = (response: object): void => admissions.get(response)?.();

/**
 * All connections of all clients. A client can keep a connection waiting for a limited time. At the limit a new
 * connection replaces the longest-waiting one of the client with the most connections. So clients that hold connections
 * open cannot lock others out.
 */
export class Connections {
  readonly #limits: ConnectionLimits;
  readonly #metrics: WebMetrics;
  readonly #all = new Set<Connection>();
  readonly #waiting = new Set<Connection>();
  readonly #clients = new Map<string, Client>();
  #unread = 0;

  constructor(limits: ConnectionLimits, metrics: WebMetrics) {
    this.#limits = limits;
    this.#metrics = metrics;
  }

  /** Admits a new connection, or closes it and returns undefined. */
  admit(socket: Socket): Connection | undefined {
    // The peer may be gone already.
    socket.on('error', () => {});
    const key = clientKey(socket.remoteAddress);
    const client = this.#clients.get(key) ?? { key, count: 0, unread: 0, waiting: new Set() };
    // File permissions decide who may open a Unix socket.
    const isFull = key !== '' && client.count >= this.#limits.connectionsPerClient;
    if (
      (isFull && !this.#evict(client.waiting)) ||
      (this.#all.size >= this.#limits.connections && !this.#evict(this.#waiting))
    ) {
      this.#metrics.refused('connections');
      new Connection(socket, client).cut();
      return undefined;
    }
    this.#clients.set(key, client);
    client.count += 1;
    const connection = new Connection(socket, client);
    this.#all.add(connection);
    this.#metrics.connections = this.#all.size;
    this.#wait(connection, this.#limits.headerSeconds, () => this.#cut(connection, 'slow'));
    socket.once('close', () => this.#forget(connection));
    return connection;
  }

  /** Call it at the start of each request. */
  begin(connection: Connection, response: Response): void {
    connection.requests += 1;
    connection.isNew = false;
    clients.set(response, connection.client);
    this.#update(connection);
    let admitted = 0;
    admissions.set(response, () => {
      admitted = 1;
      connection.admitted += 1;
      this.#update(connection);
    });
    let timer: NodeJS.Timeout | undefined;
    let bytes = 0;
    const end = response.end.bind(response) as (...args: unknown[]) => Response;
    response.end = ((...args: unknown[]) => {
      if (timer === undefined && !response.closed) {
        timer = after(this.#limits.responseSeconds, () => this.#cut(connection, 'slow'));
        connection.sending += 1;
        bytes = lengthOf(args[0]);
        this.#countUnread(connection, bytes);
        this.#update(connection);
        this.#boundUnread();
      }
      return end(...args);
    }) as typeof response.end;
    response.once('close', () => {
      admissions.delete(response);
      connection.requests -= 1;
      connection.admitted -= admitted;
      if (timer !== undefined) {
        clearTimeout(timer);
        connection.sending -= 1;
        if (this.#all.has(connection)) this.#countUnread(connection, -bytes);
      }
      this.#update(connection);
      connection.answered();
    });
  }

  /**
   * Closes idle connections, and busy ones after their requests. New ones may send one more request unless `isLast`.
   */
  retire({ isLast }: { isLast: boolean }): void {
    for (const connection of this.#all) {
      connection.isRetired = true;
      if (connection.requests === 0) {
        if (isLast || !connection.isNew) this.#end(connection);
      } else if (connection.isMultiplexed) {
        // Open streams finish first.
        connection.end();
      }
    }
  }

  /** Closes all connections immediately. */
  cutAll(): void {
    for (const connection of this.#all) connection.cut();
  }

  #update(connection: Connection): void {
    if (!this.#all.has(connection)) return;
    if (!connection.waits) {
      this.#work(connection);
    } else if (connection.requests > 0) {
      this.#wait(connection);
    } else if (connection.isRetired) {
      this.#end(connection);
    } else {
      this.#idle(connection, this.#limits.idleSeconds, connection.socket.bytesRead);
    }
  }

  // Headers that arrive but do not end are checked as often as a new connection's header timeout.
  #idle(connection: Connection, leftSeconds: number, bytesRead: number): void {
    const { headerSeconds } = this.#limits;
    this.#wait(connection, Math.min(leftSeconds, headerSeconds), () => {
      if (!connection.isMultiplexed && connection.socket.bytesRead !== bytesRead) this.#cut(connection, 'slow');
      else if (leftSeconds <= headerSeconds) this.#end(connection);
      else this.#idle(connection, leftSeconds - headerSeconds, bytesRead);
    });
  }

  #end(connection: Connection): void {
    connection.end();
    this.#wait(connection, this.#limits.responseSeconds, () => connection.cut());
  }

  #wait(connection: Connection, seconds = Infinity, then = () => {}): void {
    for (const set of [this.#waiting, connection.client.waiting]) if (!set.has(connection)) set.add(connection);
    clearTimeout(connection.timer);
    connection.timer = seconds === Infinity ? undefined : after(seconds, then);
  }

  #work(connection: Connection): void {
    for (const set of [this.#waiting, connection.client.waiting]) set.delete(connection);
    clearTimeout(connection.timer);
    connection.timer = undefined;
  }

  #countUnread(connection: Connection, bytes: number): void {
    connection.unread += bytes;
    connection.client.unread += bytes;
    this.#unread += bytes;
  }

  /**
   * Cuts connections whose clients do not read: first the longest-waiting one of the client with the most unread bytes.
   * Always keeps one.
   */
  #boundUnread(): void {
    while (this.#unread > mostUnreadBytes) {
      let chosen: Connection | undefined;
      let isOnly = true;
      for (const connection of this.#waiting) {
        if (connection.unread === 0) continue;
        isOnly = chosen === undefined;
        if (chosen === undefined || connection.client.unread > chosen.client.unread) chosen = connection;
      }
      if (chosen === undefined || isOnly) return;
      this.#cut(chosen, 'evicted');
    }
  }

  #evict(waiting: ReadonlySet<Connection>): boolean {
    let chosen: Connection | undefined;
    for (const connection of waiting) {
      if (chosen === undefined || connection.client.count > chosen.client.count) chosen = connection;
    }
    if (chosen === undefined) return false;
    this.#cut(chosen, 'evicted');
    return true;
  }

  #cut(connection: Connection, reason: 'slow' | 'evicted'): void {
    this.#metrics.refused(reason);
    this.#forget(connection);
    connection.cut();
  }

  #forget(connection: Connection): void {
    if (!this.#all.delete(connection)) return;
    this.#work(connection);
    this.#countUnread(connection, -connection.unread);
    this.#metrics.connections = this.#all.size;
    const { client } = connection;
    client.count -= 1;
    if (client.count === 0) this.#clients.delete(client.key);
  }
}

/** State shared by the requests of one connection. */
export const connectionKey = (request: IncomingMessage | Http2ServerRequest): object =>
  'stream' in request ? (request.stream.session ?? request.stream) : request.socket;

/** Whether the client cannot receive an answer: it closed the connection or reset the request's stream. */
export const isGone = (request: IncomingMessage | Http2ServerRequest): boolean =>
  'stream' in request ? request.stream.closed || request.stream.session === undefined : request.socket.destroyed;

const lengthOf = (body: unknown): number => (typeof body === 'string' || body instanceof Uint8Array ? body.length : 0);

const after = (seconds: number, call: () => void): NodeJS.Timeout => setTimeout(call, seconds * 1e3).unref();
