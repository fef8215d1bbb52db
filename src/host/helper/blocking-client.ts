import type { Clock } from '../clock.ts';
import { EAGAIN, loadSocketCalls, SOCK_CLOEXEC } from '../libc.ts';
import { AF_UNIX, unixAddress } from '../unix-socket.ts';

/** Sends a request to a helper and waits for the whole answer. Throws an Error with the reason if there is none. */
export type Exchange = (request: string) => Buffer;

const SOCK_STREAM = 1;
const SOL_SOCKET = 1;
// Values on 64-bit systems (include/uapi/asm-generic/socket.h).
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
 * A blocking exchange, like a file read, for collectors that read files. The process waits for at most
 * `timeoutSeconds`. Uses one connection per request. Rejects if the native add-on cannot be loaded.
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

// Limits the time lost to an unresponsive helper to one twentieth.
const restPerWait = 20;

/**
 * The same exchange. After a failure it fails immediately with the same error, for twenty times as long as the failure
 * took.
 */
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
