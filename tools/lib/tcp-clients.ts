import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { connect, type Socket } from 'node:net';
import { setImmediate, setTimeout as delay } from 'node:timers/promises';
import { TcpServer } from './tcp-server.ts';

const MOST_CONNECTIONS = 100_000;

export interface Target {
  port: number;
  /** Default: 127.0.0.1. */
  host?: string;
}

/** Client ends of connections. Some may hang because the listener's queue is full. */
export class Clients implements AsyncDisposable {
  readonly sockets: Socket[] = [];
  #established = 0;
  #everEstablished = 0;
  #errors = 0;

  /** Opens a connection that closes when the server closes it. */
  open({ port, host = '127.0.0.1' }: Target): void {
    const socket = connect({ port, host });
    let isEstablished = false;
    socket.once('connect', () => {
      isEstablished = true;
      this.#established += 1;
      this.#everEstablished += 1;
    });
    socket.once('close', () => {
      if (isEstablished) this.#established -= 1;
    });
    socket.on('error', () => (this.#errors += 1));
    // A socket that is not read never sees its end.
    socket.resume();
    this.sockets.push(socket);
  }

  /** Connections that the client's kernel considers established: a full queue admits one occasionally. */
  established(): number {
    return this.#established;
  }

  /** Connections that were established at any time. */
  everEstablished(): number {
    return this.#everEstablished;
  }

  /** Refused, reset and timed-out connections. */
  errors(): number {
    return this.#errors;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const open = this.sockets.filter((socket) => !socket.closed);
    const closed = open.map((socket) => once(socket, 'close'));
    open.forEach((socket) => socket.destroy());
    await Promise.all(closed);
  }
}

/** Starts `count` connections at once without waiting. */
export function connectMany({ count, ...target }: Target & { count: number }): Clients {
  bounded(count);
  const clients = new Clients();
  for (let opened = 0; opened < count; opened += 1) clients.open(target);
  return clients;
}

export interface SteadyCount {
  opened: number;
  established: number;
  errors: number;
}

/** Opens connections at a steady rate. Each closes when the server closes it, and the rest at the end. */
export async function connectSteadily({
  perSecond,
  seconds,
  ...target
}: Target & { perSecond: number; seconds: number }): Promise<SteadyCount> {
  const total = Math.round(perSecond * seconds);
  bounded(total);
  const clients = new Clients();
  const start = performance.now();
  let opened = 0;
  for (;;) {
    const elapsed = (performance.now() - start) / 1000;
    for (const due = Math.min(total, Math.floor(elapsed * perSecond) + 1); opened < due; opened += 1)
      clients.open(target);
    if (elapsed >= seconds) break;
    await delay(Math.max(1, Math.min(10, 1000 / perSecond)));
  }
  // The event loop polls its sockets before this, so the last connections are counted too.
  await setImmediate();
  const count = { opened, established: clients.everEstablished(), errors: clients.errors() };
  await clients[Symbol.asyncDispose]();
  return count;
}

export interface Established extends AsyncDisposable {
  /** One listener per process, each with an equal part of the connections. */
  ports: readonly number[];
}

/** Creates n established loopback connections with both ends in child processes, and keeps them until disposed. */
export async function keepEstablished(n: number): Promise<Established> {
  bounded(n);
  const perProcess = await connectionsPerProcess();
  const servers: TcpServer[] = [];
  const ports: number[] = [];
  const dispose = async () => {
    await Promise.all(servers.map((server) => server[Symbol.asyncDispose]()));
  };
  try {
    for (let made = 0; made < n; made += perProcess) {
      const server = await TcpServer.start();
      servers.push(server);
      const { id, port } = await server.listen({ backlog: 128 });
      ports.push(port);
      await server.establish(id, Math.min(perProcess, n - made));
    }
  } catch (error) {
    await dispose();
    throw error;
  }
  return { ports, [Symbol.asyncDispose]: dispose };
}

/** Two descriptors each, with a reserve for Node, which raises its soft limit to the hard limit. */
async function connectionsPerProcess(): Promise<number> {
  const limits = await readFile('/proc/self/limits', 'utf8');
  const hard = /^Max open files\s+\S+\s+(\S+)/m.exec(limits)?.[1];
  const descriptors = hard === undefined || hard === 'unlimited' ? 20_000 : Number(hard);
  return Math.max(1, Math.floor((Math.min(descriptors, 20_000) - 200) / 2));
}

function bounded(count: number): void {
  if (!(count <= MOST_CONNECTIONS)) throw new Error(`expected at most ${MOST_CONNECTIONS} connections, got ${count}`);
}
