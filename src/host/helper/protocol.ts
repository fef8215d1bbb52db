/** Messages of a helper on a connection: any number of `output` and `alive`, then one of the others, which ends it. */
const frameTypes = ['output', 'alive', 'answer', 'refusal'] as const;
export type FrameType = (typeof frameTypes)[number];

export interface Frame {
  readonly type: FrameType;
  /** Bytes of `output`, JSON of `answer`, words of `refusal`. */
  readonly payload: Buffer;
}

/** An answer that is none: the other side does not speak as we do. */
export class ProtocolError extends Error {
  override readonly name = 'ProtocolError';
}

/** A request is its name and this. */
export const endOfRequest = '\n';
/** No name is longer, in bytes. */
export const mostRequestBytes = 64;
/** So often a helper shows that it is alive while a request is under way. */
export const aliveSeconds = 1;

// Type, then the length of the payload (little-endian).
const headerBytes = 5;
const mostPayloadBytes = 256 << 20;

export const encodeFrame = (type: FrameType, payload: Uint8Array | string = ''): Buffer => {
  const bytes = Buffer.from(payload as string);
  const header = Buffer.alloc(headerBytes);
  header.writeUInt8(frameTypes.indexOf(type), 0);
  header.writeUInt32LE(bytes.length, 1);
  return Buffer.concat([header, bytes]);
};

/** Puts frames together again from the pieces in which they arrive. */
export class FrameReader {
  #pieces: Buffer[] = [];
  #length = 0;
  #needed = headerBytes;

  /** The frames that are complete now. Throws ProtocolError. */
  push(piece: Uint8Array): Frame[] {
    this.#pieces.push(Buffer.from(piece));
    this.#length += piece.length;
    const frames: Frame[] = [];
    while (this.#length >= this.#needed) {
      const bytes = this.#pieces.length === 1 ? this.#pieces[0]! : Buffer.concat(this.#pieces);
      this.#pieces = [bytes];
      const type = frameTypes[bytes.readUInt8(0)];
      const end = headerBytes + bytes.readUInt32LE(1);
      if (type === undefined || end > headerBytes + mostPayloadBytes) {
        throw new ProtocolError(
          `expected a frame of a helper, found ${bytes.subarray(0, headerBytes).toString('hex')}`,
        );
      }
      if (this.#length < end) {
        this.#needed = end;
        break;
      }
      frames.push({ type, payload: bytes.subarray(headerBytes, end) });
      this.#pieces = [bytes.subarray(end)];
      this.#length -= end;
      this.#needed = headerBytes;
    }
    return frames;
  }
}

/** The answer in the last frame. Throws ProtocolError where that is something else. */
export const answerIn = <Answer>({ type, payload }: Frame): Answer => {
  if (type === 'answer') return JSON.parse(payload.toString('utf8')) as Answer;
  throw new ProtocolError(`expected an answer, found ${type}: ${payload.toString('utf8')}`);
};

/** Files as a helper read them, by their paths below the root of their tree. */
export interface FilesAnswer {
  /** Their contents, a character for each byte. */
  readonly files: Readonly<Record<string, string>>;
  /** Files that could not be read and folders that could not be listed, with errno's name. */
  readonly failures: Readonly<Record<string, string>>;
}

/** How a command ended. */
export interface CommandAnswer {
  /** The first line that it wrote to stderr. */
  readonly complaint: string;
  /** Why it failed; undefined where it did not. */
  readonly error?: string;
  /** For how long it ran; undefined where it never began. */
  readonly seconds?: number | undefined;
}

/** Status of a helper. */
export interface HelperStatus {
  readonly version: string;
  /** Its programs that are installed. */
  readonly programs: readonly string[];
  readonly residentBytes: number;
  /** User and system time, without that of the programs that it has run. */
  readonly cpuSeconds: number;
}
