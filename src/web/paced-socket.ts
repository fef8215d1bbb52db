import type { Socket } from 'node:net';
import { Duplex } from 'node:stream';

// The shortest request has 18 bytes, so a piece completes at most 15.
const pieceBytes = 256;

/**
 * A connection that HTTP/1 is spoken on. It reads in small pieces, each only while `mayRead` holds, because Node's HTTP server makes an object of every
 * request that has come. What is not read stays in the kernel, and the client has to wait.
 */
export class PacedSocket extends Duplex {
  readonly remoteAddress: string | undefined;
  readonly #socket: Socket;
  readonly #mayRead: () => boolean;
  #isWanted = false;
  #willRead = false;

  constructor(socket: Socket, mayRead: () => boolean) {
    super({ readableHighWaterMark: pieceBytes, writableHighWaterMark: socket.writableHighWaterMark });
    this.remoteAddress = socket.remoteAddress;
    this.#socket = socket;
    this.#mayRead = mayRead;
    socket.on('readable', () => this.readSoon());
    socket.once('end', () => this.push(null));
    socket.once('close', () => this.destroy());
  }

  /** Reads a piece if it is wanted and may be read, once other connections have had their turn; to be called when `mayRead` may have changed. */
  readSoon(): void {
    if (this.#willRead) return;
    this.#willRead = true;
    setImmediate(() => {
      this.#willRead = false;
      this.#readPiece();
    });
  }

  /** Ends it once everything has been written; Node's HTTP server calls it, as of a net.Socket. */
  destroySoon(): void {
    this.end(() => this.destroy());
  }

  override _read(): void {
    this.#isWanted = true;
    this.readSoon();
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding, done: (error?: Error | null) => void): void {
    this.#socket.write(chunk, done);
  }

  override _writev(chunks: { chunk: Buffer }[], done: (error?: Error | null) => void): void {
    this.#socket.cork();
    for (const [i, { chunk }] of chunks.entries())
      this.#socket.write(chunk, i === chunks.length - 1 ? done : undefined);
    this.#socket.uncork();
  }

  override _final(done: () => void): void {
    this.#socket.end(done);
  }

  override _destroy(error: Error | null, done: (error: Error | null) => void): void {
    this.#socket.destroy();
    done(error);
  }

  #readPiece(): void {
    if (!this.#isWanted || !this.#mayRead()) return;
    const { readableLength } = this.#socket;
    const piece = this.#socket.read(readableLength > pieceBytes ? pieceBytes : undefined) as Buffer | null;
    if (piece === null) return;
    this.#isWanted = false;
    this.push(piece);
  }
}
