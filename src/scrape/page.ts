import { buffer } from 'node:stream/consumers';
import { createGzip, gzipSync, type Gzip } from 'node:zlib';

/** A page under construction. */
export interface Page {
  add(piece: Buffer): void;
  end(): Buffer | Promise<Buffer>;
}

/** Concatenates the pieces. */
export class PlainPage implements Page {
  readonly #pieces: Buffer[] = [];

  add(piece: Buffer): void {
    this.#pieces.push(piece);
  }

  end(): Buffer {
    return Buffer.concat(this.#pieces);
  }
}

// Fastest level, small window: a page repeats itself from line to line. Its tables take 50 kB per page instead of the
// usual 270 kB that malloc would keep.
const compression = { level: 1, windowBits: 13, memLevel: 5 };
// For an ordinary page the thread pool's overhead exceeds the work, but a huge page must not block the event loop.
const mostBytesAtOnce = 256 << 10;

/**
 * Compressed: an ordinary page immediately, a huge one in pieces in the thread pool, while the next piece is encoded.
 */
export class GzipPage implements Page {
  readonly #plain = new PlainPage();
  #bytes = 0;
  #stream: { gzip: Gzip; whole: Promise<Buffer> } | undefined;

  add(piece: Buffer): void {
    this.#bytes += piece.length;
    if (this.#stream) return void this.#stream.gzip.write(piece);
    this.#plain.add(piece);
    if (this.#bytes <= mostBytesAtOnce) return;
    const gzip = createGzip(compression);
    this.#stream = { gzip, whole: buffer(gzip) };
    gzip.write(this.#plain.end());
  }

  end(): Buffer | Promise<Buffer> {
    if (!this.#stream) return gzipSync(this.#plain.end(), compression);
    this.#stream.gzip.end();
    return this.#stream.whole;
  }
}
