import { buffer } from 'node:stream/consumers';
import { createGzip, gzipSync, type Gzip } from 'node:zlib';

/** A page in the making. */
export interface Page {
  add(piece: Buffer): void;
  end(): Buffer | Promise<Buffer>;
}

/** The pieces one behind another. */
export class PlainPage implements Page {
  readonly #pieces: Buffer[] = [];

  add(piece: Buffer): void {
    this.#pieces.push(piece);
  }

  end(): Buffer {
    return Buffer.concat(this.#pieces);
  }
}

// The fastest level, with a small window: what repeats itself in a page does so from line to line. Each page's 50 kB of tables for it are less
// for malloc to keep than the usual 270 kB.
const compression = { level: 1, windowBits: 13, memLevel: 5 };
// The thread pool's way there and back takes longer than an ordinary page, but a huge one must not hold the event loop.
const mostBytesAtOnce = 256 << 10;

/** Compressed: an ordinary page on the spot, a huge one piece by piece in the thread pool, while the next piece is being encoded. */
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
