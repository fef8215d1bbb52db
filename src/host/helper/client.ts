import { connect } from 'node:net';
import { aliveSeconds, endOfRequest, FrameReader, type Frame } from './protocol.ts';

// A helper that has so much to do that it misses this many signs of life is as good as none.
const missedSigns = 5;

/** A request that is under way. */
export interface PendingRequest {
  /** The last frame. Rejects with an Error that says why none came. */
  readonly last: Promise<Frame>;
  /** Says that it is enough: what is under way ends, and what it still says is given. */
  enough(): void;
  /** Goes. */
  abandon(): void;
}

/** Asks a helper. `take` is given its output as it comes. */
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
