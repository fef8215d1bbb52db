import type { ChildProcess } from 'node:child_process';

export interface Exit {
  code: number | null;
  signal: NodeJS.Signals | null;
}

/** Resolves to a child's exit or failure to start. No rejection goes unhandled while nothing awaits it. */
export function exitOf(child: ChildProcess): Promise<Exit> {
  const exit = new Promise<Exit>((resolve, reject) => {
    child.once('close', (code, signal) => resolve({ code, signal }));
    child.once('error', reject);
  });
  exit.catch(() => {});
  return exit;
}

/** Collects a child's stderr. */
export function stderrOf(child: ChildProcess): () => string {
  let text = '';
  child.stderr?.setEncoding('utf8').on('data', (chunk: string) => (text += chunk));
  return () => text;
}

/** Kills a child and waits until it has ended. `exited` comes from `exitOf`. */
export async function kill(child: ChildProcess, exited: Promise<Exit>): Promise<void> {
  child.kill('SIGKILL');
  await exited.catch(() => {});
}

/** Whether a process with this id exists. */
export function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}
