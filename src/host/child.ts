import { spawn, spawnSync, type ChildProcess, type StdioOptions } from 'node:child_process';
import { ownerEnvironment } from './orphans.ts';

const setpriv = ['setpriv', '--pdeathsig', 'TERM', '--'] as const;
let canSetpriv: boolean | undefined;

/** Wraps a command line so that the kernel sends SIGTERM when this process dies. Unchanged before util-linux 2.33. */
const withLifeline = (line: readonly string[]): readonly string[] => {
  canSetpriv ??= spawnSync(setpriv[0], [...setpriv.slice(1), 'true'], { stdio: 'ignore' }).status === 0;
  return canSetpriv ? [...setpriv, ...line] : line;
};

/**
 * Starts a program in its own process group, so that a signal also reaches its children, with English messages. It does
 * not outlive this process.
 */
export const startChild = (file: string, args: readonly string[], stdio: StdioOptions): ChildProcess => {
  const [program = file, ...rest] = withLifeline([file, ...args]);
  return spawn(program, rest, { detached: true, stdio, env: { ...process.env, LC_ALL: 'C', ...ownerEnvironment() } });
};

/** Signals a program and all its children. */
export const signalGroup = (child: ChildProcess, signal: 'SIGTERM' | 'SIGKILL'): void => {
  try {
    if (child.pid !== undefined) process.kill(-child.pid, signal);
  } catch {
    // ESRCH: it has already ended.
  }
};

/** The non-empty lines of a text. */
export const filledLines = (text: string): string[] =>
  text
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line !== '');

/** The first non-empty line. */
export const firstLine = (text: string): string => filledLines(text)[0] ?? '';

/** The last non-empty line: programs that report progress put their error there. */
export const lastLine = (text: string): string => firstLine(text.split('\n').reverse().join('\n'));

const keptOfErrors = 4096;

/** Collects a program's stderr up to the length that a message needs. */
export const collectErrors = (child: ChildProcess): (() => string) => {
  let errors = '';
  child.stderr?.on('data', (chunk: Buffer) => {
    if (errors.length < keptOfErrors) errors += chunk.toString('utf8');
  });
  return () => errors;
};
