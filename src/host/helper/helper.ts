import { createServer, type Socket } from 'node:net';
import { CommandError } from '../commands.ts';
import type { Host } from '../host.ts';
import type { Log } from '../log.ts';
import { listenOnPath } from '../unix-socket.ts';
import {
  aliveSeconds,
  encodeFrame,
  endOfRequest,
  mostRequestBytes,
  type CommandAnswer,
  type FrameType,
  type HelperStatus,
} from './protocol.ts';
import { filesOf, programsFor, remoteCommand, statusRequest, type RemoteCommand } from './requests.ts';

const mostConnections = 32;
/** Timeout of an incomplete request. */
const requestSeconds = 2;
/** Timeout of a client that stops reading. */
const idleSeconds = 10;
const mostOutputBytes = 8 << 20;
// Size of a window of the collector `runstate`, plus the buffers of all CPUs at its end.
const mostStreamBytes = (256 + 32) << 20;
// Bytes that a stream may be ahead of its reader.
const mostUnreadBytes = 64 << 20;
const secondsBetweenLogs = 60;

/**
 * Answers requests that need root, and no others. The request is looked up in a list (requests.ts) and never becomes
 * part of a path or command line. When the client disconnects or has enough, its command ends.
 */
export class Helper {
  readonly #host: Host;
  readonly #log: Log;
  readonly #version: string;
  readonly #timeoutSeconds: number;
  readonly #secondsOf: ReadonlyMap<string, number>;
  readonly #collectors: ReadonlySet<string>;
  readonly #clients = new Set<Socket>();
  /** Clients that have not sent a request or not read their answer, longest-waiting first. */
  readonly #idle = new Set<Socket>();
  readonly #server = createServer({ allowHalfOpen: true }, (socket) => this.#accept(socket));
  #loggedAt = -Infinity;

  /**
   * `secondsOf` returns the duration of a command's last process by name. `collectors` are those enabled in the
   * helper's own configuration.
   */
  constructor(spec: {
    host: Host;
    log: Log;
    version: string;
    timeoutSeconds: number;
    secondsOf: ReadonlyMap<string, number>;
    collectors: ReadonlySet<string>;
  }) {
    this.#host = spec.host;
    this.#log = spec.log;
    this.#version = spec.version;
    this.#timeoutSeconds = spec.timeoutSeconds;
    this.#secondsOf = spec.secondsOf;
    this.#collectors = spec.collectors;
  }

  /** Listens on a Unix socket that this process's user and group may open. Rejects if it cannot. */
  async listen(path: string): Promise<void> {
    await listenOnPath(this.#server, path);
    // accept() fails if there is no free file descriptor.
    this.#server.on('error', (error) => this.#warn('Cannot accept a connection', error.message));
  }

  /** Stops listening, disconnects all clients and ends their commands. */
  close(): void {
    this.#server.close();
    for (const client of this.#clients) client.destroy();
  }

  #accept(socket: Socket): void {
    if (this.#clients.size >= mostConnections && !this.#dropIdle()) return void socket.destroy();
    this.#clients.add(socket);
    this.#idle.add(socket);
    const gone = new AbortController();
    let request = '';
    let isAnswered = false;
    const deadline = setTimeout(() => refuse('no request'), requestSeconds * 1e3);
    /** Sends the last frame. A client that does not close its side must not keep the connection open. */
    const finish = (frame: Buffer): void => {
      if (socket.destroyed) return;
      this.#idle.add(socket);
      socket.end(frame);
      socket.destroySoon();
    };
    const refuse = (why: string): void => {
      if (isAnswered) return;
      isAnswered = true;
      this.#warn('Refused a request', why);
      finish(encodeFrame('refusal', `${why} is not a request of this helper`));
    };

    socket.setTimeout(idleSeconds * 1e3, () => socket.destroy());
    socket.on('error', () => {});
    socket.on('close', () => {
      clearTimeout(deadline);
      this.#forget(socket);
      gone.abort();
    });
    socket.on('end', () => {
      gone.abort();
      if (!isAnswered) socket.end();
    });
    socket.on('data', (bytes: Buffer) => {
      request += bytes.toString('latin1');
      const end = request.indexOf(endOfRequest);
      const isWhole = end === request.length - 1;
      if (end < 0 && request.length <= mostRequestBytes) return;
      clearTimeout(deadline);
      // Clients send one short request.
      if (isAnswered) return void socket.destroy();
      if (!isWhole || request.length > mostRequestBytes)
        return refuse(JSON.stringify(request.slice(0, mostRequestBytes)));
      const answered = this.#answer(request.slice(0, end), socket, gone.signal);
      if (answered === undefined) return refuse(JSON.stringify(request.slice(0, end)));
      isAnswered = true;
      this.#idle.delete(socket);
      void answered.then((frame) => finish(frame));
    });
  }

  #forget(socket: Socket): void {
    this.#clients.delete(socket);
    this.#idle.delete(socket);
  }

  /** Makes room for another client. False if all clients have a running request. */
  #dropIdle(): boolean {
    const [longest] = this.#idle;
    if (!longest) return false;
    this.#forget(longest);
    longest.destroy();
    return true;
  }

  /** The last frame of the answer to a request; undefined if the request is not listed. Never rejects. */
  #answer(request: string, socket: Socket, signal: AbortSignal): Promise<Buffer> | undefined {
    if (request === statusRequest) return Promise.resolve(answer(this.#status()));
    const files = filesOf(request);
    if (files) return Promise.resolve(answer(files.read(this.#host[files.tree])));
    const command = remoteCommand(request);
    return command && this.#run(command, socket, signal);
  }

  #status(): HelperStatus {
    return {
      version: this.#version,
      programs: programsFor(this.#collectors).filter((program) => this.#host.commands.find(program) !== undefined),
      residentBytes: process.memoryUsage.rss(),
      cpuSeconds: this.#host.clock.cpuSeconds(),
    };
  }

  async #run(
    { name, program, args, streamsFor, collector }: RemoteCommand,
    socket: Socket,
    signal: AbortSignal,
  ): Promise<Buffer> {
    const send = (type: FrameType, bytes?: Uint8Array): void =>
      void (socket.writable && socket.write(encodeFrame(type, bytes)));
    const alive = setInterval(() => send('alive'), aliveSeconds * 1e3);
    const { commands } = this.#host;
    try {
      if (collector !== undefined && !this.#collectors.has(collector))
        throw new CommandError(
          `the helper runs ${program} only if its own configuration enables collector.${collector}`,
        );
      const file = commands.find(program);
      if (file === undefined) throw new CommandError(`there is no ${program} here`);
      const command = { name, file, args, signal };
      let complaint = '';
      if (streamsFor === undefined) {
        const limits = { timeoutSeconds: this.#timeoutSeconds, maxBytes: mostOutputBytes };
        const output = await commands.run({ ...command, ...limits });
        complaint = output.complaint;
        send('output', Buffer.from(output.stdout));
      } else {
        const limits = { timeoutSeconds: streamsFor + this.#timeoutSeconds, maxBytes: mostStreamBytes };
        await commands.stream({ ...command, ...limits }, (bytes) => {
          send('output', bytes);
          return !signal.aborted && socket.writableLength < mostUnreadBytes;
        });
      }
      return answer<CommandAnswer>({ complaint, seconds: this.#secondsOf.get(name) });
    } catch (error) {
      const { message } = error as Error;
      return answer<CommandAnswer>({ complaint: '', error: message, seconds: this.#secondsOf.get(name) });
    } finally {
      clearInterval(alive);
    }
  }

  /** Logs at most once a minute, so that invalid requests cannot fill the disk. */
  #warn(message: string, err: string): void {
    const now = this.#host.clock.monotonicSeconds();
    if (now - this.#loggedAt < secondsBetweenLogs) return;
    this.#loggedAt = now;
    this.#log.warn(message, { err });
  }
}

const answer = <Answer>(content: Answer): Buffer => encodeFrame('answer', JSON.stringify(content));
