// After this, work waits for the next turn of the event loop, so that other work runs and libuv accepts a connection.
const longestTurnMs = 1;

/** Work of one connection, in order. */
type Queue = (() => void)[];

/**
 * Schedules work round-robin over clients, and within a client over its connections. So many connections of one client,
 * or many requests on one connection, do not delay others.
 */
export class Turns {
  /** By client and connection, both in the order of their next turns. */
  readonly #clients = new Map<string, Map<object, Queue>>();
  #isDue = false;

  /** Runs work in the turn of its client and connection, never immediately. */
  take(client: string, connection: object, work: () => void): void {
    const connections = this.#clients.get(client) ?? new Map<object, Queue>();
    this.#clients.set(client, connections);
    const queue = connections.get(connection);
    if (queue) queue.push(work);
    else connections.set(connection, [work]);
    this.#schedule();
  }

  #schedule(): void {
    if (this.#isDue) return;
    this.#isDue = true;
    setImmediate(() => {
      this.#isDue = false;
      const end = performance.now() + longestTurnMs;
      do this.#next()?.();
      while (this.#clients.size > 0 && performance.now() < end);
      if (this.#clients.size > 0) this.#schedule();
    });
  }

  #next(): (() => void) | undefined {
    for (const [client, connections] of this.#clients) {
      for (const [connection, queue] of connections) {
        const work = queue.shift();
        // Their next turns follow those of all others.
        connections.delete(connection);
        if (queue.length > 0) connections.set(connection, queue);
        this.#clients.delete(client);
        if (connections.size > 0) this.#clients.set(client, connections);
        return work;
      }
    }
    return undefined;
  }
}
