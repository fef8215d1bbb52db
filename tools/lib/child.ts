import type { ChildProcess } from 'node:child_process';

export interface Exit {
  code: number | null;
  signal: NodeJS.Signals | null;
}

/** A child's exit, or its failure to start, as a promise that is not rejected while nobody looks. */
export function exitOf(child: ChildProcess): Promise<Exit> {
  const exit = new Promise<Exit>((resolve, reject) => {
    child.once('close', (code, signal) => resolve({ code, signal }));
    child.once('error', reject);
  });
  exit.catch(() => {});
  return exit;
}

/** Collects what a child writes to stderr. */
export function stderrOf(child: ChildProcess): () => string {
  let text = '';
  child.stderr?.setEncoding('utf8').on('data', (chunk: string) => (text += chunk));
  return () => text;
}

/** Kills a child and waits until it has gone; `exited` is of `exitOf`. */
export async function kill(child: ChildProcess, exited: Promise<Exit>): Promise<void> {
  child.kill('SIGKILL');
  await exited.catch(() => {});
}

/** Whether there is a process with this id. */
export function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}
