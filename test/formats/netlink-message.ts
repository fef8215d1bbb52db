const concat = (parts: Uint8Array[]): Uint8Array => new Uint8Array(Buffer.concat(parts));

const padded = (bytes: Uint8Array): Uint8Array => concat([bytes, new Uint8Array(-bytes.length & 3)]);

/** Little-endian words of 32 bits. */
export const words = (...values: number[]): Uint8Array => new Uint8Array(Uint32Array.from(values).buffer);

/** One attribute, padded. */
export const attribute = (type: number, payload: Uint8Array): Uint8Array =>
  padded(concat([new Uint8Array(Uint16Array.of(4 + payload.length, type).buffer), payload]));

/** One message, padded; `length` is what its header claims. */
export const message = (type: number, payload: Uint8Array[], flags = 2, length?: number): Uint8Array => {
  const body = concat(payload);
  return padded(concat([words(length ?? 16 + body.length, type | (flags << 16), 1, 4711), body]));
};

/** Messages one behind another, and NLMSG_DONE. */
export const dump = (...messages: Uint8Array[]): Uint8Array => concat([...messages, message(3, [words(0)])]);
