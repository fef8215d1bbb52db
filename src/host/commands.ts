import { spawn, type ChildProcess } from 'node:child_process';
import { accessSync, constants } from 'node:fs';
import { delimiter, join } from 'node:path';

/** A program to run: no shell, `args` as they are. */
export interface Command {
  /** The program's path. */
  file: string;
  args: readonly string[];
  timeoutSeconds: number;
  maxBytes: number;
}

/** A command that could not be started, failed, took too long or said too much; the message names it and says which. */
export class CommandError extends Error {
  override readonly name = 'CommandError';
}

/** The programs that the product runs, and the only things in it that can hang. */
export interface Commands {
  /** Standard output of a command that ended with exit status 0 within its deadline. Rejects with CommandError. */
  run(command: Command): Promise<string>;
  /** The path of a program; undefined where there is none. */
  find(name: string): string | undefined;
  /** Kills what still runs. */
  close(): void;
}

const isExecutable = (file: string): boolean => {
  try {
    accessSync(file, constants.X_OK);
    return true;
  } catch {
    return false;
  }
};

/** The path of the first executable of that name on the PATH or where system programs are; undefined where there is none. */
export const findOnPath = (name: string): string | undefined =>
  [...(process.env['PATH'] ?? '').split(delimiter), '/usr/sbin', '/usr/bin', '/sbin', '/bin']
    .filter(Boolean)
    .map((folder) => join(folder, name))
    .find(isExecutable);

const killGroup = (child: ChildProcess): void => {
  try {
    if (child.pid !== undefined) process.kill(-child.pid, 'SIGKILL');
  } catch {
    // ESRCH: it has ended by itself.
  }
};

const firstLine = (text: string): string =>
  text
    .split('\n')
    .find((line) => line.trim() !== '')
    ?.trim() ?? '';

/** Commands of this machine; `find` tells where a program is. */
export const localCommands = (find: Commands['find'] = findOnPath): Commands => {
  const running = new Set<ChildProcess>();

  const run = ({ file, args, timeoutSeconds, maxBytes }: Command): Promise<string> =>
    new Promise((resolve, reject) => {
      // Its own process group, so that what it forks goes with it.
      const child = spawn(file, args, {
        detached: true,
        env: { ...process.env, LC_ALL: 'C' },
        stdio: ['ignore', 'pipe', 'pipe'],
      });
      running.add(child);
      const output: Buffer[] = [];
      let outputBytes = 0;
      let errors = '';

      const settle = (outcome: string | Error): void => {
        if (!running.delete(child)) return;
        clearTimeout(timer);
        killGroup(child);
        child.stdout.destroy();
        child.stderr.destroy();
        if (typeof outcome === 'string') resolve(outcome);
        else reject(outcome);
      };
      const fail = (why: string): void => settle(new CommandError(`${[file, ...args].join(' ')}: ${why}`));
      const timer = setTimeout(() => fail(`no end within ${timeoutSeconds} s`), timeoutSeconds * 1e3);

      child.on('error', (error) => fail(error.message));
      child.stdout.on('data', (chunk: Buffer) => {
        output.push(chunk);
        outputBytes += chunk.length;
        if (outputBytes > maxBytes) fail(`more than ${maxBytes} bytes of output`);
      });
      child.stderr.on('data', (chunk: Buffer) => {
        if (errors.length < 4096) errors += chunk.toString('utf8');
      });
      // 'close' waits for the output's end, which a grandchild may hold open: the timer bounds that too.
      child.on('close', (status, signal) => {
        if (status === 0) settle(Buffer.concat(output).toString('utf8'));
        else fail([signal ?? `exit status ${status}`, firstLine(errors)].filter(Boolean).join(': '));
      });
    });

  return {
    run,
    find,
    close: () => running.forEach(killGroup),
  };
};
