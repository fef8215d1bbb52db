/** Resources that the demo has opened and must close. The demo also runs on Node 22, which lacks `await using`. */
export class Opened {
  readonly #all: (Disposable | AsyncDisposable)[] = [];
  readonly #stop: AbortSignal;

  /** `stop` ends the demo. */
  constructor(stop: AbortSignal) {
    this.#stop = stop;
  }

  /** Ends it with the others. Throws if the demo was ended while it started. */
  add<T extends Disposable | AsyncDisposable>(opened: T): T {
    this.#all.push(opened);
    this.#stop.throwIfAborted();
    return opened;
  }

  /** Ends all, the latest first. */
  async close(): Promise<void> {
    for (const opened of this.#all.splice(0).reverse()) {
      if (Symbol.asyncDispose in opened) await opened[Symbol.asyncDispose]();
      else opened[Symbol.dispose]();
    }
  }
}
