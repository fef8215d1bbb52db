import type { Clock } from '../clock.ts';
import { EAGAIN, loadSocketCalls, SOCK_CLOEXEC } from '../libc.ts';
import { AF_UNIX, unixAddress } from '../unix-socket.ts';

/** Asks a helper and waits for all that it answers. Throws an Error that says why there is no answer. */
export type Exchange = (request: string) => Buffer;

const SOCK_STREAM = 1;
const SOL_SOCKET = 1;
// With the values that they have on 64-bit systems (include/uapi/asm-generic/socket.h).
const SO_RCVTIMEO = 20;
const SO_SNDTIMEO = 21;
const receiveBytes = 1 << 20;
const mostAnswerBytes = 256 << 20;

/** struct timeval of setsockopt(2). */
const timeval = (seconds: number): Buffer => {
  const bytes = Buffer.alloc(16);
  bytes.writeBigInt64LE(BigInt(Math.floor(seconds)), 0);
  bytes.writeBigInt64LE(BigInt(Math.round((seconds % 1) * 1e6)), 8);
  return bytes;
};

/**
 * An exchange that waits as a read of a file does, for collectors that read files: the process does nothing else meanwhile, for at most
 * `timeoutSeconds`. A connection for each request. Rejects where the add-on that makes the calls cannot be loaded.
 */
export const openBlockingClient = async (path: string, timeoutSeconds: number): Promise<Exchange> => {
  const libc = await loadSocketCalls();
  const address = unixAddress(path);
  const timeout = timeval(timeoutSeconds);
  let answer = Buffer.allocUnsafeSlow(receiveBytes);

  const failed = (call: string): Error => {
    const errno = libc.errno();
    return new Error(
      `${call} ${path}: ${errno === EAGAIN ? `no answer within ${timeoutSeconds} s` : libc.errorName(errno)}`,
    );
  };

  return (request) => {
    const socket = libc.socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (socket < 0) throw failed('socket for');
    try {
      for (const option of [SO_RCVTIMEO, SO_SNDTIMEO]) {
        libc.setsockopt(socket, SOL_SOCKET, option, timeout, timeout.length);
      }
      if (libc.connect(socket, address, address.length) < 0) throw failed('connect');
      const begin = performance.now();
      const bytes = Buffer.from(request);
      if (libc.send(socket, bytes, bytes.length, 0) < 0) throw failed('send');
      for (let length = 0; ;) {
        if (answer.length - length < receiveBytes) answer = Buffer.concat([answer], answer.length * 2);
        const received = libc.recv(socket, answer.subarray(length), answer.length - length, 0);
        if (received < 0) throw failed('recv');
        if (received === 0) return answer.subarray(0, length);
        length += received;
        if (performance.now() - begin > timeoutSeconds * 1e3) {
          throw new Error(`recv ${path}: no end of the answer within ${timeoutSeconds} s`);
        }
        if (length > mostAnswerBytes) throw new Error(`recv ${path}: more than ${mostAnswerBytes} bytes`);
      }
    } finally {
      libc.close(socket);
    }
  };
};

// At most a twentieth of the time is lost to waiting for a helper that does not answer.
const restPerWait = 20;

/** The same exchange, which after one that failed fails at once, with the same error, for twenty times as long as that took. */
export const resting = (exchange: Exchange, { monotonicSeconds }: Pick<Clock, 'monotonicSeconds'>): Exchange => {
  let failure: { readonly error: unknown; readonly until: number } | undefined;
  return (request) => {
    const begin = monotonicSeconds();
    if (failure && begin < failure.until) throw failure.error;
    try {
      const answer = exchange(request);
      failure = undefined;
      return answer;
    } catch (error) {
      const end = monotonicSeconds();
      failure = { error, until: end + restPerWait * (end - begin) };
      throw error;
    }
  };
};
