import type { ChildProcess } from 'node:child_process';
import { accessSync, constants, readdirSync, statSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { collectErrors, filledLines, firstLine, signalGroup, startChild } from './child.ts';
import { startStream, type RunningStream } from './stream.ts';

/** A program to run: no shell, `args` as they are. */
export interface Command {
  /** Name in metrics, the same for commands that differ only in the domain. */
  name: string;
  /** The program's path. */
  file: string;
  args: readonly string[];
  timeoutSeconds: number;
  maxBytes: number;
  /** Aborted when nobody wants the output any longer: then it is killed, or as a stream asked to end, and what it writes is given all the same. */
  signal?: AbortSignal | undefined;
}

/** Output of a command that ended with exit status 0. `complaint` is the beginning of stderr, without empty lines: not every failure has another status. */
export interface CommandOutput {
  stdout: string;
  complaint: string;
}

/** A command that could not be started, failed, took too long or said too much; the message names it and says which. */
export class CommandError extends Error {
  override readonly name = 'CommandError';
}

/** The programs that the product runs, and the only things in it that can hang. */
export interface Commands {
  /**
   * The output of a command that ended with exit status 0 within its deadline. At most one process of each program runs at a time: others
   * wait for it, and their deadlines begin when their own processes do; but those that wait for one that even SIGKILL cannot end are given
   * up after as long. Rejects with CommandError.
   */
  run(command: Command): Promise<CommandOutput>;
  /**
   * As `run`, but gives `take` what the command writes as it comes. Where `take` wants no more, the command is asked to end (SIGTERM), and what
   * it still writes is given too; so it is where its time is over, its output too long, or `take` throws, and then this rejects. A command that
   * does not end when it is asked is killed two seconds later.
   */
  stream(command: Command, take: (bytes: Uint8Array) => boolean): Promise<void>;
  /** The path of a program; undefined where there is none. */
  find(name: string): string | undefined;
  /** Where `find` looks, in words that continue `there is no xl`. */
  readonly searched: string;
  /** Kills what still runs, asks streams to end, and lets nothing else begin. */
  close(): void;
}

const graceSeconds = 2;

/** A folder may be executable too. */
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

/** The path of the first executable of that name in these folders; undefined if there is none. */
export const programIn = (folders: readonly string[], name: string): string | undefined =>
  folders.map((folder) => join(folder, name)).find(isProgram);

/**
 * The path of the first executable of that name on the PATH, where system programs are, or where Debian puts Xen's own: in a folder for each
 * version that is installed, of which that of the running Xen counts, then the latest. Undefined where there is none.
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

/** Where a program is looked for when the folders of --path.tools and then those of `findProgram` count. */
export const searchedWith = (tools: readonly string[]): string =>
  `${tools.length > 0 ? `in ${tools.join(', ')}, ` : ''}on the PATH or in /usr/lib/xen-*/bin (--path.tools adds folders)`;

/** Where a program is looked for beside a copy of another machine's files. */
export const searchedBesideCopy = (tools: readonly string[]): string =>
  `in ${tools.length > 0 ? tools.join(', ') : 'a folder of --path.tools, which is not set'} (with another --path.procfs than /proc only the folders of --path.tools count)`;

interface Waiting {
  go(): void;
  /** Another went in before it. */
  moved(): void;
}

/** Lets one in at a time, in the order in which they came. */
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

/** Commands of this machine. `find` tells where a program is; `observe` is told how long each process ran, in seconds. */
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
        // Late: whoever asked for it has gone.
        if (isSettled) return lane.leave();
        timer.refresh();
        begin = performance.now();
        child = start({ file, args, maxBytes }, fail, settle);
        running.add(child);
        // Not before the process has gone: one that even SIGKILL cannot end must not be followed by a second.
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

  /** When it is the program's turn. */
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
      // As above: not before the process has gone.
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
  // 'close' waits for the output's end, which a grandchild may hold open: the deadline bounds that too.
  child.on('close', (status, signal) => {
    if (status === 0) {
      succeed({ stdout: Buffer.concat(output).toString('utf8'), complaint: filledLines(errors()).join('\n') });
    } else fail([signal ?? `exit status ${status}`, firstLine(errors())].filter(Boolean).join(': '));
  });
  return child;
};
