import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { exitOf, stderrOf, type Exit } from '../../tools/lib/child.ts';
import type { DaemonOptions } from '../../tools/lib/daemon.ts';
import { until } from '../../tools/lib/until.ts';
import { project } from '../../tools/lib/project.ts';

const MAIN = join(project, 'dist/main.js');

export interface HelperProcess extends AsyncDisposable {
  pid: number;
  /** stderr so far. */
  log(): string;
  exited: Promise<Exit>;
  /** Sends the signal and waits for the exit. */
  stop(signal?: NodeJS.Signals): Promise<Exit>;
}

/** Starts the built `xen-exporter helper` and waits until it listens on this socket. */
export async function startHelper(
  socket: string,
  args: readonly string[] = [],
  { user, env = {} }: Pick<DaemonOptions, 'user' | 'env'> = {},
): Promise<HelperProcess> {
  const child = spawn(process.execPath, [MAIN, 'helper', `--helper.socket=${socket}`, ...args], {
    env: { ...process.env, ...env },
    stdio: ['ignore', 'ignore', 'pipe'],
    ...user,
  });
  const log = stderrOf(child);
  const exited = exitOf(child);
  await until('the helper to listen', () => {
    if (child.exitCode !== null) throw new Error(`the helper ended: ${log()}`);
    return log().includes('msg="Helping on"');
  });
  return {
    pid: child.pid!,
    log,
    exited,
    stop: (signal = 'SIGTERM') => {
      child.kill(signal);
      return exited;
    },
    async [Symbol.asyncDispose]() {
      child.kill('SIGKILL');
      await exited;
    },
  };
}
