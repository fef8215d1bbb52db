import { execFile } from 'node:child_process';
import { promisify } from 'node:util';

export interface CommandOptions {
  cwd?: string;
  env?: NodeJS.ProcessEnv;
  timeoutMs?: number;
  /** Name of the command in error messages, if clearer than its arguments. */
  title?: string;
}

/** Runs a local command and returns its standard output. Errors contain the end of stderr. */
export async function commandOutput(
  command: string,
  args: readonly string[],
  { cwd, env = process.env, timeoutMs = 600_000, title = [command, ...args].join(' ') }: CommandOptions = {},
): Promise<string> {
  try {
    const { stdout } = await promisify(execFile)(command, args, { cwd, env, timeout: timeoutMs, maxBuffer: 64 << 20 });
    return stdout;
  } catch (error) {
    const {
      code,
      killed,
      stdout = '',
      stderr = '',
    } = error as { code?: unknown; killed?: boolean; stdout?: string; stderr?: string };
    const reason = killed ? `no end within ${timeoutMs} ms` : `exit status ${String(code)}`;
    const said = `${stdout}\n${stderr}`.trim().split('\n').slice(-15).join('\n');
    throw new Error(`${title}: ${reason}: ${said}`, { cause: error });
  }
}
