import { spawn, spawnSync, type ChildProcess, type StdioOptions } from 'node:child_process';
import { ownerEnvironment } from './orphans.ts';

const setpriv = ['setpriv', '--pdeathsig', 'TERM', '--'] as const;
let canSetpriv: boolean | undefined;

/** The command line by which the kernel asks a program to end (SIGTERM) when this process is gone; the line itself before util-linux 2.33. */
const withLifeline = (line: readonly string[]): readonly string[] => {
  canSetpriv ??= spawnSync(setpriv[0], [...setpriv.slice(1), 'true'], { stdio: 'ignore' }).status === 0;
  return canSetpriv ? [...setpriv, ...line] : line;
};

/** Starts a program, in its own process group, so that what it forks goes with it, and speaking English. It does not outlive this process. */
export const startChild = (file: string, args: readonly string[], stdio: StdioOptions): ChildProcess => {
  const [program = file, ...rest] = withLifeline([file, ...args]);
  return spawn(program, rest, { detached: true, stdio, env: { ...process.env, LC_ALL: 'C', ...ownerEnvironment() } });
};

/** Sends a signal to a program and all that it has forked. */
export const signalGroup = (child: ChildProcess, signal: 'SIGTERM' | 'SIGKILL'): void => {
  try {
    if (child.pid !== undefined) process.kill(-child.pid, signal);
  } catch {
    // ESRCH: it has ended by itself.
  }
};

/** The lines of a text that are not empty. */
export const filledLines = (text: string): string[] =>
  text
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line !== '');

/** The first of them. */
export const firstLine = (text: string): string => filledLines(text)[0] ?? '';

/** The last one: where a program also says what it is doing, that is its complaint. */
export const lastLine = (text: string): string => firstLine(text.split('\n').reverse().join('\n'));

const keptOfErrors = 4096;

/** Collects what a program writes to stderr, as much of it as a message needs. */
export const collectErrors = (child: ChildProcess): (() => string) => {
  let errors = '';
  child.stderr?.on('data', (chunk: Buffer) => {
    if (errors.length < keptOfErrors) errors += chunk.toString('utf8');
  });
  return () => errors;
};
