// The rest waits for the next turn of the event loop, in which other work has its share and libuv accepts one connection.
const longestTurnMs = 1;

/** Work for one connection, in order. */
type Queue = (() => void)[];

/**
 * Work for clients, in their turns: each client has one piece of it done, then the next client, and of one client one connection after the other. So a
 * client with many connections holds up none with few, and one connection with many requests none with one.
 */
export class Turns {
  /** By client and connection, each in the order of their next turns. */
  readonly #clients = new Map<string, Map<object, Queue>>();
  #isDue = false;

  /** Does this when it is the turn of the client and of the connection; never at once. */
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
        // Their next turns come after those of all others.
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
