import { fork, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import type { ListenOptions } from './libc-sockets.ts';
import type { HeldCount, Reply, Request, Requests } from './tcp-server-process.ts';

export type { HeldCount, ListenOptions };

export interface Listening {
  id: number;
  port: number;
}

/** A loop that accepts until stopped. */
export interface AcceptLoop<Result> {
  stop(): Promise<Result>;
}

interface Waiting {
  resolve: (result: unknown) => void;
  reject: (error: Error) => void;
}

/** Real listeners in a child process that accept only on request. */
export class TcpServer implements AsyncDisposable {
  readonly #child: ChildProcess;
  readonly #waiting = new Map<number, Waiting>();
  #lastSequence = 0;

  private constructor(child: ChildProcess) {
    this.#child = child;
    child.on('message', (reply: Reply) => this.#settle(reply));
    child.once('exit', (code, signal) => {
      const error = new Error(`the TCP server process ended: ${signal ?? `exit code ${code}`}`);
      for (const { reject } of this.#waiting.values()) reject(error);
      this.#waiting.clear();
    });
  }

  /** `wrapper` is a command that replaces itself by another command, such as `unshare --net`. */
  static async start(wrapper: readonly string[] = []): Promise<TcpServer> {
    // Drops the arguments and options that the test runner gives its own processes.
    const env = { ...process.env };
    delete env['NODE_OPTIONS'];
    const [execPath, ...execArgv] = [...wrapper, process.execPath];
    const child = fork(join(import.meta.dirname, 'tcp-server-process.ts'), {
      execPath: execPath!,
      execArgv,
      env,
      serialization: 'advanced',
    });
    await once(child, 'spawn');
    return new TcpServer(child);
  }

  /** Process that owns the sockets. */
  get pid(): number {
    return this.#child.pid!;
  }

  listen(options: ListenOptions): Promise<Listening> {
    return this.#ask('listen', options);
  }

  /** Accepts up to `count` queued connections without waiting. Returns their number. They stay open unless `close`. */
  accept(id: number, count: number, { close = false } = {}): Promise<number> {
    return this.#ask('accept', id, count, close);
  }

  /** Length of the accept queue according to the kernel. */
  queueLength(id: number): Promise<number> {
    return this.#ask('queueLength', id);
  }

  /**
   * Accepts all queued connections every interval, and closes them unless told otherwise. When stopped, returns the
   * number accepted.
   */
  async drain(
    id: number,
    { intervalMs, close = true }: { intervalMs: number; close?: boolean },
  ): Promise<AcceptLoop<number>> {
    await this.#ask('drain', id, intervalMs, close);
    return { stop: async () => (await this.#ask('stopLoop', id)) as number };
  }

  /** Accepts each connection after about this time in the queue, and closes it unless told otherwise. */
  async holdEach(id: number, holdMs: number, { close = true } = {}): Promise<AcceptLoop<HeldCount>> {
    await this.#ask('holdEach', id, holdMs, close);
    return { stop: async () => (await this.#ask('stopLoop', id)) as HeldCount };
  }

  /** Opens connections from the child to its IPv4 listener and keeps both ends open. */
  establish(id: number, count: number): Promise<void> {
    return this.#ask('establish', id, count);
  }

  /** Starts connections from the child to its IPv4 listener without waiting, and keeps them. */
  flood(id: number, count: number): Promise<void> {
    return this.#ask('flood', id, count);
  }

  /** Moves the child to a new network namespace. Its sockets stay in the old one. */
  moveToNewNamespace(): Promise<void> {
    return this.#ask('moveToNewNamespace');
  }

  /** Closes the listener and its accepted connections. The kernel resets queued ones. */
  close(id: number): Promise<void> {
    return this.#ask('close', id);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    const exit = once(this.#child, 'exit');
    this.#child.kill('SIGKILL');
    await exit;
  }

  #ask<Name extends keyof Requests>(
    name: Name,
    ...args: Parameters<Requests[Name]>
  ): Promise<ReturnType<Requests[Name]>> {
    const sequence = ++this.#lastSequence;
    return new Promise((resolve, reject) => {
      this.#waiting.set(sequence, { resolve: resolve as (result: unknown) => void, reject });
      this.#child.send({ sequence, name, args } satisfies Request, (error) => {
        if (error === null) return;
        this.#waiting.delete(sequence);
        reject(error);
      });
    });
  }

  #settle({ sequence, result, error }: Reply): void {
    const waiting = this.#waiting.get(sequence);
    this.#waiting.delete(sequence);
    if (error === undefined) waiting?.resolve(result);
    else waiting?.reject(new Error(error));
  }
}
