/** Frames from a helper: any number of `output` and `alive`, then one of the others, which ends the connection. */
const frameTypes = ['output', 'alive', 'answer', 'refusal'] as const;
export type FrameType = (typeof frameTypes)[number];

export interface Frame {
  readonly type: FrameType;
  /** Bytes of `output`, JSON of `answer`, text of `refusal`. */
  readonly payload: Buffer;
}

/** An invalid answer: the peer does not follow the protocol. */
export class ProtocolError extends Error {
  override readonly name = 'ProtocolError';
}

/** A request is its name followed by this. */
export const endOfRequest = '\n';
/** Maximum length of a name, in bytes. */
export const mostRequestBytes = 64;
/** Interval of a helper's signs of life while a request runs. */
export const aliveSeconds = 1;

// Type, then payload length (little-endian).
const headerBytes = 5;
const mostPayloadBytes = 256 << 20;

export const encodeFrame = (type: FrameType, payload: Uint8Array | string = ''): Buffer => {
  const bytes = Buffer.from(payload as string);
  const header = Buffer.alloc(headerBytes);
  header.writeUInt8(frameTypes.indexOf(type), 0);
  header.writeUInt32LE(bytes.length, 1);
  return Buffer.concat([header, bytes]);
};

/** Reassembles frames from arriving pieces. */
export class FrameReader {
  #pieces: Buffer[] = [];
  #length = 0;
  #needed = headerBytes;

  /** Complete frames so far. Throws ProtocolError. */
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

/** The answer in the last frame. Throws ProtocolError if the frame is something else. */
export const answerIn = <Answer>({ type, payload }: Frame): Answer => {
  if (type === 'answer') return JSON.parse(payload.toString('utf8')) as Answer;
  throw new ProtocolError(`expected an answer, found ${type}: ${payload.toString('utf8')}`);
};

/** Files that a helper read, by path below the root of their tree. */
export interface FilesAnswer {
  /** Contents, one character per byte. */
  readonly files: Readonly<Record<string, string>>;
  /** Unreadable files and folders, with the errno name. */
  readonly failures: Readonly<Record<string, string>>;
}

/** Result of a command. */
export interface CommandAnswer {
  /** First line of stderr. */
  readonly complaint: string;
  /** Reason of the failure; undefined on success. */
  readonly error?: string;
  /** Duration; undefined if it never started. */
  readonly seconds?: number | undefined;
}

/** Status of a helper. */
export interface HelperStatus {
  readonly version: string;
  /** Installed programs. */
  readonly programs: readonly string[];
  readonly residentBytes: number;
  /** User and system time, excluding the programs that it ran. */
  readonly cpuSeconds: number;
}
