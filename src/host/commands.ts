import type { ChildProcess } from 'node:child_process';
import { accessSync, constants, readdirSync, statSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { collectErrors, filledLines, firstLine, signalGroup, startChild } from './child.ts';
import { startStream, type RunningStream } from './stream.ts';

/** A program to run without a shell. `args` are passed unchanged. */
export interface Command {
  /** Name in metrics, without variable parts such as the domid. */
  name: string;
  /** The program's path. */
  file: string;
  args: readonly string[];
  timeoutSeconds: number;
  maxBytes: number;
  /**
   * Abort it when the output is no longer needed. The command is then killed, or as a stream asked to end; its output
   * is still delivered.
   */
  signal?: AbortSignal | undefined;
}

/**
 * Output of a command with exit status 0. `complaint` is the start of stderr without empty lines, because some failures
 * exit with 0.
 */
export interface CommandOutput {
  stdout: string;
  complaint: string;
}

/** A command failed to start, failed, timed out or printed too much. The message names the command and the reason. */
export class CommandError extends Error {
  override readonly name = 'CommandError';
}

/** The programs that the product runs: the only part that can hang. */
export interface Commands {
  /**
   * Runs a command and resolves to its output if it ends with status 0 within its deadline. At most one process of each
   * program runs at a time. Others wait, and their deadlines begin with their own processes. Those that wait for a
   * process that even SIGKILL cannot end fail after as long. Rejects with CommandError.
   */
  run(command: Command): Promise<CommandOutput>;
  /**
   * Like `run`, but passes output to `take` as it arrives. When `take` returns false, the command is asked to end
   * (SIGTERM) and its remaining output is still delivered. It is also asked to end on timeout, on too much output, or
   * if `take` throws, and then this rejects. If it does not end within two seconds, it is killed.
   */
  stream(command: Command, take: (bytes: Uint8Array) => boolean): Promise<void>;
  /** Path of a program; undefined if not found. */
  find(name: string): string | undefined;
  /** Where `find` searches, as the end of the sentence `there is no xl`. */
  readonly searched: string;
  /** Kills running commands, asks streams to end, and starts nothing more. */
  close(): void;
}

const graceSeconds = 2;

/** Folders may be executable too. */
const isProgram = (file: string): boolean => {
  try {
    accessSync(file, constants.X_OK);
    return statSync(file).isFile();
  } catch {
    return false;
  }
};

const foldersOfXen = (): string[] => {
  try {
    const versions = readdirSync('/usr/lib').filter((name) => name.startsWith('xen-'));
    return versions.sort(new Intl.Collator('en', { numeric: true }).compare).map((name) => `/usr/lib/${name}/bin`);
  } catch {
    return [];
  }
};

/** Path of the first executable of that name in these folders; undefined if there is none. */
export const programIn = (folders: readonly string[], name: string): string | undefined =>
  folders.map((folder) => join(folder, name)).find(isProgram);

/**
 * Path of the first executable of that name on the PATH, in system folders, or in Debian's Xen folders: one for each
 * installed version, first the running Xen's, then the latest. Undefined if there is none.
 */
export const findProgram = (name: string, xenVersion?: string): string | undefined =>
  programIn(
    [
      ...(process.env['PATH'] ?? '').split(delimiter),
      '/usr/sbin',
      '/usr/bin',
      '/sbin',
      '/bin',
      ...(xenVersion === undefined ? [] : [`/usr/lib/xen-${xenVersion}/bin`]),
      ...foldersOfXen().reverse(),
    ].filter(Boolean),
    name,
  );

/** Where programs are searched: the folders of --path.tools, then those of `findProgram`. */
export const searchedWith = (tools: readonly string[]): string =>
  `${tools.length > 0 ? `in ${tools.join(', ')}, ` : ''}on the PATH or in /usr/lib/xen-*/bin (--path.tools adds folders)`;

/** Where programs are searched when the files are a copy of another machine's. */
export const searchedBesideCopy = (tools: readonly string[]): string =>
  `in ${tools.length > 0 ? tools.join(', ') : 'a folder of --path.tools, which is not set'} (with another --path.procfs than /proc only the folders of --path.tools count)`;

interface Waiting {
  go(): void;
  /** Called when another one enters the lane before it. */
  moved(): void;
}

/** Admits one at a time, in order of arrival. */
class Lane {
  #isTaken = false;
  readonly #waiting: Waiting[] = [];

  enter(waiting: Waiting): void {
    if (this.#isTaken) return void this.#waiting.push(waiting);
    this.#isTaken = true;
    waiting.go();
  }

  leave(): void {
    const next = this.#waiting.shift();
    if (!next) {
      this.#isTaken = false;
      return;
    }
    for (const { moved } of this.#waiting) moved();
    next.go();
  }
}

/** Commands of this machine. `find` locates programs. `observe` receives each process's duration in seconds. */
export const localCommands = ({
  find = findProgram,
  searched = searchedWith([]),
  observe = () => {},
}: {
  find?: Commands['find'];
  searched?: string;
  observe?: (name: string, seconds: number) => void;
} = {}): Commands => {
  const running = new Set<ChildProcess>();
  const streams = new Set<RunningStream>();
  const lanes = new Map<string, Lane>();
  let isClosed = false;

  const laneOf = (file: string): Lane => {
    const lane = lanes.get(file) ?? new Lane();
    lanes.set(file, lane);
    return lane;
  };

  const run = ({ name, file, args, timeoutSeconds, maxBytes, signal }: Command): Promise<CommandOutput> =>
    new Promise((resolve, reject) => {
      const lane = laneOf(file);
      let child: ChildProcess | undefined;
      let isSettled = false;
      let begin = 0;

      const settle = (outcome: CommandOutput | Error): void => {
        if (isSettled) return;
        isSettled = true;
        clearTimeout(timer);
        signal?.removeEventListener('abort', giveUp);
        if (child) {
          observe(name, (performance.now() - begin) / 1e3);
          signalGroup(child, 'SIGKILL');
          child.stdout?.destroy();
          child.stderr?.destroy();
        }
        if (outcome instanceof Error) reject(outcome);
        else resolve(outcome);
      };
      const fail = (why: string): void => settle(new CommandError(`${[file, ...args].join(' ')}: ${why}`));
      const giveUp = (): void => fail('given up');
      const timer = setTimeout(
        () =>
          fail(child ? `no end within ${timeoutSeconds} s` : `another ${file} has not ended for ${timeoutSeconds} s`),
        timeoutSeconds * 1e3,
      );

      const go = (): void => {
        if (isClosed) fail('stopping');
        // Too late: the caller no longer waits.
        if (isSettled) return lane.leave();
        timer.refresh();
        begin = performance.now();
        child = start({ file, args, maxBytes }, fail, settle);
        running.add(child);
        // Wait for the process to end: after one that even SIGKILL cannot end, no second may start.
        let hasLeft = false;
        const leave = (): void => {
          if (hasLeft) return;
          hasLeft = true;
          running.delete(child!);
          lane.leave();
        };
        child.once('exit', leave);
        child.once('error', () => child?.pid === undefined && leave());
      };
      signal?.addEventListener('abort', giveUp);
      lane.enter({ go, moved: () => void (isSettled || timer.refresh()) });
    });

  /** Resolves when it is the program's turn. */
  const turn = (file: string): Promise<Lane> =>
    new Promise((resolve) => {
      const lane = laneOf(file);
      lane.enter({ go: () => resolve(lane), moved: () => {} });
    });

  const stream = async (command: Command, take: (bytes: Uint8Array) => boolean): Promise<void> => {
    const { name, file, args, signal } = command;
    const lane = await turn(file);
    let running: RunningStream | undefined;
    const stop = (): void => running?.stop();
    signal?.addEventListener('abort', stop);
    try {
      if (isClosed) throw new Error('stopping');
      if (signal?.aborted) throw new Error('given up');
      running = await startStream(command, graceSeconds, take);
      streams.add(running);
      if (isClosed || signal?.aborted) running.stop();
      const begin = performance.now();
      await running.ended.finally(() => observe(name, (performance.now() - begin) / 1e3));
    } catch (error) {
      throw new CommandError(`${[file, ...args].join(' ')}: ${(error as Error).message}`, { cause: error });
    } finally {
      signal?.removeEventListener('abort', stop);
      // As above, wait for the process to end.
      void Promise.resolve(running?.gone).then(() => {
        if (running) streams.delete(running);
        lane.leave();
      });
    }
  };

  return {
    run,
    stream,
    find,
    searched,
    close: () => {
      isClosed = true;
      for (const child of running) signalGroup(child, 'SIGKILL');
      for (const stream of streams) stream.stop();
    },
  };
};

const start = (
  { file, args, maxBytes }: Pick<Command, 'file' | 'args' | 'maxBytes'>,
  fail: (why: string) => void,
  succeed: (output: CommandOutput) => void,
): ChildProcess => {
  const child = startChild(file, args, ['ignore', 'pipe', 'pipe']);
  const output: Buffer[] = [];
  let outputBytes = 0;
  const errors = collectErrors(child);

  child.on('error', (error) => fail(error.message));
  child.stdout!.on('data', (chunk: Buffer) => {
    output.push(chunk);
    outputBytes += chunk.length;
    if (outputBytes > maxBytes) fail(`more than ${maxBytes} bytes of output`);
  });
  // 'close' waits for the end of the output, which a grandchild may hold open. The deadline limits that too.
  child.on('close', (status, signal) => {
    if (status === 0) {
      succeed({ stdout: Buffer.concat(output).toString('utf8'), complaint: filledLines(errors()).join('\n') });
    } else fail([signal ?? `exit status ${status}`, firstLine(errors())].filter(Boolean).join(': '));
  });
  return child;
};
