/** What the demo has started and must end. Node 22 runs the demo too, and does not know `await using`. */
export class Opened {
  readonly #all: (Disposable | AsyncDisposable)[] = [];

  /** Ends it with the others. */
  add<T extends Disposable | AsyncDisposable>(opened: T): T {
    this.#all.push(opened);
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
