import { closeSync } from 'node:fs';
import { Socket } from 'node:net';
import { collectErrors, lastLine, signalGroup, startChild } from './child.ts';
import { openPipe } from './pipe.ts';

/** A program whose output is taken as it comes. */
export interface RunningStream {
  /** Asks it to end, by SIGTERM; it is killed where it does not within the grace. */
  stop(): void;
  /** The process has gone: at once where it could not be started. */
  readonly gone: Promise<void>;
  /** It has ended with status 0 and its output is taken; else rejects with a message that says why not. */
  readonly ended: Promise<void>;
}

/**
 * Starts a program with a true pipe for its standard output. `take` is given each piece, and says whether it wants more: where not, the program
 * is asked to end, and what it still writes is given as well. Where `take` throws, or too much time passes or output comes, it is asked too, and
 * nothing more is given. It is killed where it has not ended `graceSeconds` later.
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
  /** Why nothing more is taken. */
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
  // Its stderr is read to the end by then.
  child.on('close', (status, signal) => {
    const end = signal ?? `exit status ${status}`;
    ending = status === 0 ? '' : [end, lastLine(errors())].filter(Boolean).join(': ');
    settleIfOver();
  });
  return { stop, gone, ended };
};
