import type { Socket } from 'node:net';
import { Duplex } from 'node:stream';

const pieceBytes = 512;
// Until its connection ends, TLS keeps as much memory as its largest write needed.
const writtenBytes = 64 << 10;
// HTTP/1 only. Requests with a body are refused, so requests end after the headers.
const endOfRequest = '\r\n\r\n';

/**
 * A connection that reads small pieces in turn (HTTP/1: at most one request), and only while `mayRead` holds. Node's
 * servers create objects for every request in their input of up to 64 KiB. Unread data stays in the kernel, and the
 * client waits.
 */
export class PacedSocket extends Duplex {
  readonly remoteAddress: string | undefined;
  readonly #socket: Socket;
  readonly #mayRead: () => boolean;
  readonly #takeTurn: (work: () => void) => void;
  #isWanted = false;
  #willRead = false;

  /** `takeTurn` runs work after other connections had their turn. */
  constructor(socket: Socket, mayRead: () => boolean, takeTurn: (work: () => void) => void) {
    super({ readableHighWaterMark: pieceBytes, writableHighWaterMark: socket.writableHighWaterMark });
    this.remoteAddress = socket.remoteAddress;
    this.#socket = socket;
    this.#mayRead = mayRead;
    this.#takeTurn = takeTurn;
    socket.on('readable', () => this.readSoon());
    socket.once('end', () => this.push(null));
    socket.once('close', () => this.destroy());
  }

  /**
   * Reads a piece in this connection's turn, if one is wanted and may be read. Call it when `mayRead` may have changed.
   */
  readSoon(): void {
    if (this.#willRead || !this.#isWanted || !this.#mayRead()) return;
    this.#willRead = true;
    this.#takeTurn(() => {
      this.#willRead = false;
      this.#readPiece();
    });
  }

  /** Ends the connection after all data is written. Node's HTTP server calls it, as on a net.Socket. */
  destroySoon(): void {
    this.end(() => this.destroy());
  }

  override _read(): void {
    this.#isWanted = true;
    this.readSoon();
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding, done: (error?: Error | null) => void): void {
    this.#writePieces([chunk], done);
  }

  override _writev(chunks: { chunk: Buffer }[], done: (error?: Error | null) => void): void {
    this.#writePieces(
      chunks.map(({ chunk }) => chunk),
      done,
    );
  }

  override _final(done: () => void): void {
    this.#socket.end(done);
  }

  override _destroy(error: Error | null, done: (error: Error | null) => void): void {
    this.#socket.destroy();
    done(error);
  }

  #writePieces(chunks: readonly Buffer[], done: (error?: Error | null) => void): void {
    const later: Buffer[] = [];
    let room = writtenBytes;
    const pieces = chunks.flatMap((chunk) => {
      const piece = chunk.subarray(0, room);
      room -= piece.length;
      if (piece.length < chunk.length) later.push(chunk.subarray(piece.length));
      return piece.length > 0 ? piece : [];
    });
    const written = (error?: Error | null): void => {
      if (error || later.length === 0) done(error);
      else this.#writePieces(later, done);
    };
    this.#socket.cork();
    for (const [i, piece] of pieces.entries()) this.#socket.write(piece, i === pieces.length - 1 ? written : undefined);
    this.#socket.uncork();
    if (pieces.length === 0) done();
  }

  #readPiece(): void {
    if (!this.#isWanted || !this.#mayRead()) return;
    const { readableLength } = this.#socket;
    const bytes = this.#socket.read(readableLength > pieceBytes ? pieceBytes : undefined) as Buffer | null;
    if (bytes === null) return;
    const end = bytes.indexOf(endOfRequest);
    const piece = end < 0 ? bytes : bytes.subarray(0, end + endOfRequest.length);
    if (piece.length < bytes.length) this.#socket.unshift(bytes.subarray(piece.length));
    this.#isWanted = false;
    this.push(piece);
  }
}
