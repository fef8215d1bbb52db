import { loadLibc } from './libc.ts';

/** Both ends of a pipe, as descriptors that child processes do not inherit. */
export interface Pipe {
  readonly readEnd: number;
  readonly writeEnd: number;
}

const O_CLOEXEC = 0o2000000;
const F_SETPIPE_SZ = 1031;
// Maximum for unprivileged users (/proc/sys/fs/pipe-max-size); the default is 64 KiB.
const pipeBytes = 1 << 20;

const loadCalls = async () => {
  const { func, errno, errorName } = await loadLibc();
  return { pipe2: func('int pipe2(void *, int)'), fcntl: func('int fcntl(int, int, ...)'), errno, errorName };
};
let calls: ReturnType<typeof loadCalls> | undefined;

/**
 * Creates a pipe. Node connects children by a socket, which they cannot open as /dev/stdout. Rejects if it cannot be
 * created.
 */
export const openPipe = async (): Promise<Pipe> => {
  const { pipe2, fcntl, errno, errorName } = await (calls ??= loadCalls());
  const ends = Buffer.alloc(8);
  if (pipe2(ends, O_CLOEXEC) !== 0) throw new Error(`pipe2: ${errorName(errno())}`);
  const [readEnd, writeEnd] = [ends.readInt32LE(0), ends.readInt32LE(4)];
  // If it may not grow, keep its size.
  fcntl(writeEnd, F_SETPIPE_SZ, 'int', pipeBytes);
  return { readEnd, writeEnd };
};
