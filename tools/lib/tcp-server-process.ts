// The child of tcp-server.ts: owns the sockets, obeys its parent over IPC, and ends with the parent.

import {
  acceptQueueLength,
  acceptSocket,
  closeSocket,
  beginConnection,
  connectSocket,
  moveToNewNamespace,
  openListener,
  type ListenOptions,
} from './libc-sockets.ts';

export interface HeldCount {
  accepted: number;
  /**
   * Mean time from a connection's first sighting in the queue (polled every 2 ms) to its accept; NaN without
   * connections.
   */
  meanWaitSeconds: number;
}

interface Listener {
  fd: number;
  port: number;
  accepted: number[];
  /** Stops the accept loop, if there is one, and returns its result. */
  stopLoop: (() => unknown) | undefined;
}

const listeners = new Map<number, Listener>();
const outgoing: number[] = [];
let lastId = 0;

/** Requests of the parent. */
const requests = {
  listen(options: ListenOptions): { id: number; port: number } {
    const { fd, port } = openListener(options);
    const id = ++lastId;
    listeners.set(id, { fd, port, accepted: [], stopLoop: undefined });
    return { id, port };
  },

  accept(id: number, count: number, close: boolean): number {
    const listener = listenerOf(id);
    let accepted = 0;
    while (accepted < count && acceptOne(listener, close)) accepted += 1;
    return accepted;
  },

  queueLength(id: number): number {
    return acceptQueueLength(listenerOf(id).fd);
  },

  drain(id: number, intervalMs: number, close: boolean): void {
    const listener = listenerOf(id);
    let accepted = 0;
    const pass = () => {
      while (acceptOne(listener, close)) accepted += 1;
    };
    startLoop(listener, intervalMs, pass, () => accepted);
  },

  holdEach(id: number, holdMs: number, close: boolean): void {
    const listener = listenerOf(id);
    const firstSeen: number[] = [];
    let accepted = 0;
    let waitedMs = 0;
    const pass = () => {
      const now = performance.now();
      for (let unseen = acceptQueueLength(listener.fd) - firstSeen.length; unseen > 0; unseen -= 1) firstSeen.push(now);
      for (let oldest = firstSeen[0]; oldest !== undefined && now - oldest >= holdMs; oldest = firstSeen[0]) {
        if (!acceptOne(listener, close)) break;
        firstSeen.shift();
        accepted += 1;
        waitedMs += performance.now() - oldest;
      }
    };
    const result = (): HeldCount => ({ accepted, meanWaitSeconds: waitedMs / accepted / 1000 });
    startLoop(listener, 2, pass, result);
  },

  stopLoop(id: number): unknown {
    const listener = listenerOf(id);
    const result = listener.stopLoop?.();
    listener.stopLoop = undefined;
    return result;
  },

  /** Connects to its own listener and accepts, so that both ends stay open in this process. */
  establish(id: number, count: number): void {
    const listener = listenerOf(id);
    for (let made = 0; made < count; made += 1) {
      outgoing.push(connectSocket('ipv4', '127.0.0.1', listener.port));
      const deadline = performance.now() + 5000;
      while (!acceptOne(listener, false)) {
        if (performance.now() > deadline) throw new Error(`connection ${made + 1} of ${count} never came to the queue`);
      }
    }
  },

  flood(id: number, count: number): void {
    const { port } = listenerOf(id);
    for (let begun = 0; begun < count; begun += 1) outgoing.push(beginConnection('ipv4', '127.0.0.1', port));
  },

  moveToNewNamespace,

  close(id: number): void {
    const listener = listenerOf(id);
    listener.stopLoop?.();
    closeSocket(listener.fd);
    listener.accepted.forEach(closeSocket);
    listeners.delete(id);
  },
};

function listenerOf(id: number): Listener {
  const listener = listeners.get(id);
  if (listener === undefined) throw new Error(`no listener ${id}`);
  return listener;
}

function acceptOne(listener: Listener, close: boolean): boolean {
  const fd = acceptSocket(listener.fd);
  if (fd === undefined) return false;
  if (close) closeSocket(fd);
  else listener.accepted.push(fd);
  return true;
}

function startLoop(listener: Listener, intervalMs: number, pass: () => void, result: () => unknown): void {
  if (listener.stopLoop !== undefined) throw new Error('this listener already has a loop that accepts');
  const timer = setInterval(pass, intervalMs);
  listener.stopLoop = () => {
    clearInterval(timer);
    return result();
  };
}

export type Requests = typeof requests;

export interface Request {
  sequence: number;
  name: keyof Requests;
  args: unknown[];
}

export interface Reply {
  sequence: number;
  result?: unknown;
  error?: string;
}

process.on('message', ({ sequence, name, args }: Request) => {
  const reply: Reply = { sequence };
  try {
    reply.result = (requests[name] as (...all: unknown[]) => unknown)(...args);
  } catch (error) {
    reply.error = (error as Error).message;
  }
  process.send?.(reply);
});
process.on('disconnect', () => process.exit());
