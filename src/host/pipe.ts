import { loadLibc } from './libc.ts';

/** Both ends of a pipe, as descriptors of this process that no program started by it inherits. */
export interface Pipe {
  readonly readEnd: number;
  readonly writeEnd: number;
}

const O_CLOEXEC = 0o2000000;
const F_SETPIPE_SZ = 1031;
// The most that a user may have (/proc/sys/fs/pipe-max-size); 64 KiB else.
const pipeBytes = 1 << 20;

const loadCalls = async () => {
  const { func, errno, errorName } = await loadLibc();
  return { pipe2: func('int pipe2(void *, int)'), fcntl: func('int fcntl(int, int, ...)'), errno, errorName };
};
let calls: ReturnType<typeof loadCalls> | undefined;

/** Makes a pipe. What Node connects a program to is a socket, which a program cannot open as /dev/stdout. Rejects where it cannot be made. */
export const openPipe = async (): Promise<Pipe> => {
  const { pipe2, fcntl, errno, errorName } = await (calls ??= loadCalls());
  const ends = Buffer.alloc(8);
  if (pipe2(ends, O_CLOEXEC) !== 0) throw new Error(`pipe2: ${errorName(errno())}`);
  const [readEnd, writeEnd] = [ends.readInt32LE(0), ends.readInt32LE(4)];
  // Where it may not be larger it is as large as it is.
  fcntl(writeEnd, F_SETPIPE_SZ, 'int', pipeBytes);
  return { readEnd, writeEnd };
};
