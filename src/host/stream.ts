import { closeSync } from 'node:fs';
import { Socket } from 'node:net';
import { collectErrors, lastLine, signalGroup, startChild } from './child.ts';
import { openPipe } from './pipe.ts';

/** A program whose output is read as it arrives. */
export interface RunningStream {
  /** Asks it to end with SIGTERM; kills it if it does not within the grace period. */
  stop(): void;
  /** Resolves when the process has ended; immediately if it could not be started. */
  readonly gone: Promise<void>;
  /** Resolves when it ended with status 0 and its output was taken. Otherwise rejects with the reason. */
  readonly ended: Promise<void>;
}

/**
 * Starts a program with a real pipe as its standard output. `take` receives each piece and returns whether it wants
 * more. If not, the program is asked to end, and `take` receives the rest. If `take` throws, or on timeout or too much
 * output, the program is asked to end and `take` receives nothing more. It is killed if it has not ended `graceSeconds`
 * later.
 */
export const startStream = async (
  {
    file,
    args,
    timeoutSeconds,
    maxBytes,
  }: { file: string; args: readonly string[]; timeoutSeconds: number; maxBytes: number },
  graceSeconds: number,
  take: (bytes: Uint8Array) => boolean,
): Promise<RunningStream> => {
  const { readEnd, writeEnd } = await openPipe();
  const child = startChild(file, args, ['ignore', writeEnd, 'pipe']);
  closeSync(writeEnd);
  const output = new Socket({ fd: readEnd, readable: true, writable: false });
  const errors = collectErrors(child);
  const { promise: gone, resolve: hasGone } = Promise.withResolvers<undefined>();
  const { promise: ended, resolve, reject } = Promise.withResolvers<undefined>();
  let outputBytes = 0;
  let killTimer: NodeJS.Timeout | undefined;
  let isOutputOver = false;
  let ending: string | undefined;
  /** Why no more output is taken. */
  let refusal: string | undefined;

  const settle = (why: string): void => {
    clearTimeout(deadline);
    clearTimeout(killTimer);
    signalGroup(child, 'SIGKILL');
    output.destroy();
    if (why === '') resolve(undefined);
    else reject(new Error(why));
  };
  const settleIfOver = (): void => {
    if (isOutputOver && ending !== undefined) settle(refusal ?? ending);
  };
  const stop = (): void => {
    if (killTimer) return;
    signalGroup(child, 'SIGTERM');
    const why = `no end within ${graceSeconds} s of SIGTERM`;
    killTimer = setTimeout(() => settle(refusal ? `${refusal}, and ${why}` : why), graceSeconds * 1e3);
  };
  const refuse = (why: string): void => {
    refusal = why;
    stop();
  };
  const deadline = setTimeout(() => refuse(`no end within ${timeoutSeconds} s`), timeoutSeconds * 1e3);

  output.on('data', (bytes: Buffer) => {
    if (refusal !== undefined) return;
    outputBytes += bytes.length;
    if (outputBytes > maxBytes) return refuse(`more than ${maxBytes} bytes of output`);
    try {
      if (!take(bytes)) stop();
    } catch (error) {
      refuse((error as Error).message);
    }
  });
  output.on('error', (error) => refuse(error.message));
  output.on('close', () => {
    isOutputOver = true;
    settleIfOver();
  });
  child.on('error', (error) => {
    if (child.pid !== undefined) return;
    hasGone(undefined);
    settle(error.message);
  });
  child.on('exit', () => hasGone(undefined));
  // stderr is complete by then.
  child.on('close', (status, signal) => {
    const end = signal ?? `exit status ${status}`;
    ending = status === 0 ? '' : [end, lastLine(errors())].filter(Boolean).join(': ');
    settleIfOver();
  });
  return { stop, gone, ended };
};
