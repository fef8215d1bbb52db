import type { ChildProcess } from 'node:child_process';

/** How every program is started: in its own process group, so that what it forks goes with it, and speaking English. */
export const childOptions = () => ({ detached: true, env: { ...process.env, LC_ALL: 'C' } });

/** Sends a signal to a program and all that it has forked. */
export const signalGroup = (child: ChildProcess, signal: 'SIGTERM' | 'SIGKILL'): void => {
  try {
    if (child.pid !== undefined) process.kill(-child.pid, signal);
  } catch {
    // ESRCH: it has ended by itself.
  }
};

/** The first line of a text that is not empty. */
export const firstLine = (text: string): string =>
  text
    .split('\n')
    .find((line) => line.trim() !== '')
    ?.trim() ?? '';

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
