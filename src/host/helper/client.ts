import { connect } from 'node:net';
import { aliveSeconds, endOfRequest, FrameReader, type Frame } from './protocol.ts';

// A helper that misses this many signs of life counts as hung.
const missedSigns = 5;

/** A pending request. */
export interface PendingRequest {
  /** The last frame. Rejects with an Error that states why none arrived. */
  readonly last: Promise<Frame>;
  /** Ends the command. Output until its end is still delivered. */
  enough(): void;
  /** Closes the connection without waiting for the answer. */
  abandon(): void;
}

/** Sends a request to a helper. `take` receives its output as it arrives. */
export const sendRequest = (
  path: string,
  request: string,
  take: (bytes: Buffer) => void = () => {},
): PendingRequest => {
  const socket = connect({ path });
  const reader = new FrameReader();
  const { promise: last, resolve, reject } = Promise.withResolvers<Frame>();
  socket.setTimeout(missedSigns * aliveSeconds * 1e3, () =>
    socket.destroy(new Error(`${path}: no sign of life for ${missedSigns * aliveSeconds} s`)),
  );
  socket.write(`${request}${endOfRequest}`);
  socket.on('data', (bytes: Buffer) => {
    try {
      for (const frame of reader.push(bytes)) {
        if (frame.type === 'output') take(frame.payload);
        else if (frame.type !== 'alive') resolve(frame);
      }
    } catch (error) {
      socket.destroy(error as Error);
    }
  });
  socket.on('error', reject);
  socket.on('close', () => reject(new Error(`${path}: closed in the middle of an answer`)));
  return { last, enough: () => socket.end(), abandon: () => socket.destroy() };
};
