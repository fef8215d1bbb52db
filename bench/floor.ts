import { spawnSync } from 'node:child_process';
import { closeSync, openSync, readdirSync, readlinkSync, readSync } from 'node:fs';
import { join } from 'node:path';
import { quantile, timesOf } from './support.ts';

// Nothing that a Dom0 shows in one file is longer.
const bufferBytes = 4 << 20;
const warmUp = 5;

/** The file behind a descriptor of a process. Undefined if it was closed meanwhile. */
const targetOf = (descriptor: string): string | undefined => {
  try {
    return readlinkSync(descriptor);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
};

/** The files below `root` that a process keeps open between its scrapes, and these others that it opens in each. */
export const filesReadBy = (pid: number, root: string, others: readonly string[]): string[] => {
  const folder = `/proc/${pid}/fd`;
  const open = readdirSync(folder).flatMap((fd) => {
    const file = targetOf(join(folder, fd));
    return file?.startsWith(`${root}/`) ? file : [];
  });
  return [...new Set([...open, ...others.map((name) => join(root, name))])];
};

/**
 * Median time of reading all files once by the barest loop of Node, in milliseconds: they are open already, and nothing
 * is made of what they hold.
 */
export const nodeFloor = async (files: readonly string[], rounds: number): Promise<number> => {
  const buffer = Buffer.allocUnsafeSlow(bufferBytes);
  const descriptors = files.map((file) => openSync(file, 'r'));
  const readAll = (): void => {
    for (const descriptor of descriptors) readSync(descriptor, buffer, 0, bufferBytes, 0);
  };
  try {
    await timesOf(readAll, warmUp);
    return quantile(await timesOf(readAll, rounds), 0.5);
  } finally {
    descriptors.forEach((descriptor) => closeSync(descriptor));
  }
};

const script = `
import os, sys, time
buffer = [bytearray(${bufferBytes})]
files = [os.open(name, os.O_RDONLY) for name in sys.stdin.read().split('\\n')]
times = []
for _ in range(${warmUp} + int(sys.argv[1])):
    begin = time.perf_counter()
    for file in files:
        os.preadv(file, buffer, 0)
    times.append(time.perf_counter() - begin)
times = sorted(times[${warmUp}:])
print(times[len(times) // 2] * 1e3)
`;

/** The same by Python with pread(2); undefined if there is no Python. */
export const pythonFloor = (files: readonly string[], rounds: number): number | undefined => {
  const { status, stdout } = spawnSync('python3', ['-c', script, String(rounds)], {
    input: files.join('\n'),
    encoding: 'utf8',
  });
  return status === 0 ? Number(stdout) : undefined;
};
