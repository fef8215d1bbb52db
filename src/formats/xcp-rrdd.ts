import { crc32 } from 'node:zlib';
import { viewOf } from './netlink.ts';
import { ParseError, quote } from './parse-error.ts';

// Layout: ocaml/xcp-rrdd/lib/transport/base/rrd_protocol_v2.ml of xapi-project/xen-api. Everything is big-endian.
const header = 'DATASOURCES';
const dataCrcAt = 11;
const metadataCrcAt = 15;
const countAt = 19;
const timestampAt = 23;
const valuesAt = 31;
const valueBytes = 8;
const lengthBytes = 4;

/** A number that an xcp-rrdd plugin reports for a VM. */
export interface XcpRrddDatasource {
  /** Unique within a VM, not across VMs. */
  name: string;
  /** Uuid of the VM, in lower case. */
  vm: string;
  value: number;
}

/** One update by a plugin. */
export interface XcpRrddReading {
  /** Seconds since 1970. */
  timestampSeconds: number;
  /** Data sources of VMs, in file order. Excludes those of the host and of storage. */
  datasources: XcpRrddDatasource[];
}

interface Metadata {
  name: string;
  fields: Readonly<Record<string, unknown>>;
}

/**
 * Length of a file according to its beginning; unused pages follow. If the beginning is too short, returns how many
 * bytes are needed. A malformed beginning counts as long enough, so that parsing rejects it.
 */
export const xcpRrddBytes = (beginning: Uint8Array): number => {
  if (beginning.length < valuesAt) return valuesAt;
  if (!hasHeader(beginning)) return beginning.length;
  const view = viewOf(beginning);
  const lengthAt = valuesAt + valueBytes * view.getUint32(countAt);
  const metadataAt = lengthAt + lengthBytes;
  return beginning.length < metadataAt ? metadataAt : metadataAt + view.getUint32(lengthAt);
};

const hasHeader = (bytes: Uint8Array): boolean =>
  Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('latin1', 0, header.length) === header;

const checkCrc = (what: string, bytes: Uint8Array, stored: number): void => {
  const computed = crc32(bytes);
  const hex = (crc: number): string => crc.toString(16).padStart(8, '0');
  if (computed !== stored) throw new ParseError(`${what} with the CRC ${hex(stored)}`, `some with ${hex(computed)}`);
};

/**
 * xapi up to 24.39 writes an int64, 24.40 and later a double (doc/content/design/plugin-protocol-v2.md; pack(">LLLd")
 * in scripts/rrdd/rrdd.py). The first byte distinguishes them for all times between 1970 and 2106.
 */
const timestamp = (view: DataView): number => {
  const first = view.getUint8(timestampAt);
  if (first === 0x00) return Number(view.getBigInt64(timestampAt));
  if (first === 0x41) return view.getFloat64(timestampAt);
  throw new ParseError('a timestamp that is an int64 or a double', `a first byte of 0x${first.toString(16)}`);
};

/** Walks JSON with duplicate keys, of which JSON.parse keeps only the last. */
class JsonWalk {
  readonly #text: string;
  #at = 0;

  constructor(text: string) {
    this.#text = text;
  }

  /** Skips `token` if it comes next and returns whether it did. */
  passes(token: string): boolean {
    this.#skipSpace();
    if (this.#text[this.#at] !== token) return false;
    this.#at += 1;
    return true;
  }

  expect(token: string): void {
    if (!this.passes(token)) throw this.#unexpected(quote(token));
  }

  expectEnd(): void {
    this.#skipSpace();
    if (this.#at < this.#text.length) throw this.#unexpected('nothing more');
  }

  string(): string {
    this.#skipSpace();
    const start = this.#at;
    if (this.#text[start] !== '"') throw this.#unexpected('a string');
    this.#skipString();
    return this.#parse(start) as string;
  }

  /** An object without nested objects. */
  flatObject(): Metadata['fields'] {
    this.#skipSpace();
    const start = this.#at;
    if (this.#text[start] !== '{') throw this.#unexpected('"{"');
    while (this.#text[this.#at] !== '}') {
      if (this.#at >= this.#text.length) throw this.#unexpected('"}"');
      if (this.#text[this.#at] === '"') this.#skipString();
      else this.#at += 1;
    }
    this.#at += 1;
    return this.#parse(start) as Metadata['fields'];
  }

  #skipSpace(): void {
    while (' \n\r\t'.includes(this.#text[this.#at] ?? 'end')) this.#at += 1;
  }

  #skipString(): void {
    this.#at += 1;
    while (this.#text[this.#at] !== '"') {
      if (this.#at >= this.#text.length) throw this.#unexpected('the end of a string');
      this.#at += this.#text[this.#at] === '\\' ? 2 : 1;
    }
    this.#at += 1;
  }

  #parse(start: number): unknown {
    const piece = this.#text.slice(start, this.#at);
    try {
      return JSON.parse(piece);
    } catch {
      throw new ParseError('JSON in the metadata', quote(piece));
    }
  }

  #unexpected(expected: string): ParseError {
    return new ParseError(`${expected} in the metadata`, quote(this.#text.slice(this.#at), 'its end'));
  }
}

/**
 * Parses `{"datasources":{NAME:{...},...}}` (ocaml/xcp-rrdd/lib/transport/base/rrd_json.ml), in the order of the
 * values.
 */
const parseMetadata = (text: string): Metadata[] => {
  const walk = new JsonWalk(text);
  walk.expect('{');
  const key = walk.string();
  if (key !== 'datasources') throw new ParseError('the key "datasources" in the metadata', quote(key, 'an empty key'));
  walk.expect(':');
  walk.expect('{');
  const all: Metadata[] = [];
  if (!walk.passes('}')) {
    do {
      const name = walk.string();
      walk.expect(':');
      all.push({ name, fields: walk.flatObject() });
    } while (walk.passes(','));
    walk.expect('}');
  }
  walk.expect('}');
  walk.expectEnd();
  return all;
};

const readValue = (view: DataView, at: number, { name, fields }: Metadata): number => {
  const type = fields['value_type'];
  if (type === 'float') return view.getFloat64(at);
  if (type === 'int64') return Number(view.getBigInt64(at));
  throw new ParseError('a value_type of float or int64', `${quote(String(type))} at ${quote(name)}`);
};

/** Like owner_of_string in ocaml/xcp-rrdd/lib/transport/base/rrd_rpc.ml; undefined if the owner is not a VM. */
const vmOf = ({ owner }: Metadata['fields'] & { owner?: unknown }): string | undefined =>
  typeof owner === 'string' ? /^vm (\S+)$/.exec(owner.toLowerCase())?.[1] : undefined;

/**
 * Parses a plugin's shared-memory file in version 2 of xcp-rrdd's protocol, ignoring bytes after its end. Throws
 * ParseError, also if the plugin was just writing.
 */
export const parseXcpRrdd = (bytes: Uint8Array): XcpRrddReading => {
  if (bytes.length < valuesAt + lengthBytes) {
    throw new ParseError(`at least ${valuesAt + lengthBytes} bytes`, `${bytes.length} bytes`);
  }
  if (!hasHeader(bytes)) {
    throw new ParseError(quote(header), quote(Buffer.from(bytes.subarray(0, header.length)).toString('latin1')));
  }
  const view = viewOf(bytes);
  const count = view.getUint32(countAt);
  const needed = xcpRrddBytes(bytes);
  if (needed > bytes.length) {
    throw new ParseError(`${count} values and their metadata in ${needed} bytes`, `${bytes.length} bytes`);
  }
  const lengthAt = valuesAt + valueBytes * count;
  checkCrc('values', bytes.subarray(timestampAt, lengthAt), view.getUint32(dataCrcAt));
  const metadata = bytes.subarray(lengthAt + lengthBytes, needed);
  checkCrc('metadata', metadata, view.getUint32(metadataCrcAt));

  // librrd, for plugins in C, includes the terminating NUL in the length.
  const all = parseMetadata(new TextDecoder().decode(metadata).replace(/\0$/, ''));
  if (all.length !== count) throw new ParseError(`metadata of ${count} datasources`, `metadata of ${all.length}`);
  const datasources = all.flatMap((one, index): XcpRrddDatasource[] => {
    const value = readValue(view, valuesAt + valueBytes * index, one);
    const vm = vmOf(one.fields);
    return vm === undefined ? [] : [{ name: one.name, vm, value }];
  });
  return { timestampSeconds: timestamp(view), datasources };
};
