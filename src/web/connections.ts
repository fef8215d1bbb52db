import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Http2ServerRequest, Http2ServerResponse } from 'node:http2';
import { isIPv6, type Socket } from 'node:net';
import type { WebMetrics } from '../scrape/web-metrics.ts';

/** Limits of clients: resources and time. */
export interface ConnectionLimits {
  readonly connections: number;
  readonly connectionsPerClient: number;
  /** From the connection, TLS handshake included, to the end of the first request's headers. */
  readonly headerSeconds: number;
  /** From a response to the next request. */
  readonly idleSeconds: number;
  /** From a response's last byte's being ready to its having been taken. */
  readonly responseSeconds: number;
}

/** Unanswered requests of one connection. Beyond them it is not read; HTTP/2 refuses further streams. */
export const mostRequests = 8;

// Unread responses of clients, in bytes. TLS keeps a copy of each for itself.
const mostUnreadBytes = 32 << 20;

type Response = ServerResponse | Http2ServerResponse;

/** The connections of one address. */
interface Client {
  readonly key: string;
  count: number;
  /** Size of its responses, in bytes. */
  unread: number;
  /** Responses that wait for the client, longest first. */
  readonly waiting: Set<Connection>;
}

/** Whom an address belongs to: an IPv4 address, an IPv6 network of 64 bits; empty for a Unix socket. */
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

/** One client's connection, from accept() to its end. */
export class Connection {
  readonly socket: Socket;
  readonly client: Client;
  /** Requests that have come and are not answered: their responses are being made, or being taken. */
  requests = 0;
  /** Connections that access control has let in. */
  admitted = 0;
  /** Connections whose responses are being read. */
  sending = 0;
  /** Bytes that are being read. */
  unread = 0;
  /** Until its first request. */
  isNew = true;
  /** To be closed once it has no requests. */
  isRetired = false;
  /** Whether several requests share it, so that bytes that come need not be a request's. */
  isMultiplexed = false;
  timer: NodeJS.Timeout | undefined;
  /** Says goodbye, in the words of its protocol. */
  end = (): void => this.cut();
  /** Called when it has been answered a request. */
  answered = (): void => {};

  constructor(socket: Socket, client: Client) {
    this.socket = socket;
    this.client = client;
  }

  /** Whether it has as many requests as it may. */
  get isFull(): boolean {
    return this.requests >= mostRequests;
  }

  /** Whether its client may send a further request. */
  get takesMore(): boolean {
    return !this.isFull && (this.isNew || !this.isRetired);
  }

  /** Whether it may be cut off for another's sake: no request is let in, the client has to read, or it asks for as much as it may. */
  get waits(): boolean {
    return this.admitted === 0 || this.sending > 0 || this.isFull;
  }

  /** Ends it at once; what is not sent yet is dropped. */
  cut(): void {
    // Only TCP has a reset, which also frees what the kernel holds for a client that never reads.
    if (this.socket.remoteAddress === undefined) this.socket.destroy();
    else this.socket.resetAndDestroy();
  }
}

/** By response: to be called when its request is let in. */
const admissions = new WeakMap<object, () => void>();
const clients = new WeakMap<object, Client>();

/** Client that a response is for: see `clientKey`. */
export const clientOf = (response: object): string => clients.get(response)?.key ?? '';

/** Notes that access control has let a request in: until it is answered, its connection is not cut off for another's sake. */
export const admit = (response: object): void => admissions.get(response)?.();

/**
 * All connections of all clients. A client can keep one waiting for a limited time. If there are too many, a new one takes the place of one that waits:
 * the longest, of the client that has most. So clients that hold connections open keep no other out.
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

  /** Takes a new connection in, or refuses it: then it is closed, and undefined is returned. */
  admit(socket: Socket): Connection | undefined {
    // A peer that has gone again already.
    socket.on('error', () => {});
    const key = clientKey(socket.remoteAddress);
    const client = this.#clients.get(key) ?? { key, count: 0, unread: 0, waiting: new Set() };
    // The file system decides who may open a Unix socket.
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

  /** To be called with each request. */
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

  /** Closes all that do nothing, and the others when they are done; those that are new get one request yet, unless it is the last moment. */
  retire({ isLast }: { isLast: boolean }): void {
    for (const connection of this.#all) {
      connection.isRetired = true;
      if (connection.requests === 0) {
        if (isLast || !connection.isNew) this.#end(connection);
      } else if (connection.isMultiplexed) {
        // Streams that are open go on to their end.
        connection.end();
      }
    }
  }

  /** Closes all at once. */
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

  // Headers that have begun to come and do not end are looked for as often as those of a new connection may take.
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

  /** Cuts connections off whose clients do not read: of the client with the most unread bytes, the one that has waited longest. One is never too many. */
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

/** State that requests on one connection share. */
export const connectionKey = (request: IncomingMessage | Http2ServerRequest): object =>
  'stream' in request ? (request.stream.session ?? request.stream) : request.socket;

/** Whether the client can take no answer any longer: it has closed the connection, or has reset the request's stream. */
export const isGone = (request: IncomingMessage | Http2ServerRequest): boolean =>
  'stream' in request ? request.stream.closed || request.stream.session === undefined : request.socket.destroyed;

const lengthOf = (body: unknown): number => (typeof body === 'string' || body instanceof Uint8Array ? body.length : 0);

const after = (seconds: number, call: () => void): NodeJS.Timeout => setTimeout(call, seconds * 1e3).unref();
