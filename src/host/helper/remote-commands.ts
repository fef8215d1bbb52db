import { CommandError, type Command, type CommandOutput, type Commands } from '../commands.ts';
import { sendRequest, type PendingRequest } from './client.ts';
import { answerIn, type CommandAnswer } from './protocol.ts';

/**
 * Commands of a helper, which has their paths and deadlines. `has` returns whether a program exists. `observe` receives
 * each process's duration in seconds.
 */
export const remoteCommands = ({
  socket,
  has,
  observe = () => {},
}: {
  socket: string;
  has: (program: string) => boolean;
  observe?: ((name: string, seconds: number) => void) | undefined;
}): Commands => {
  const underWay = new Set<PendingRequest>();
  let isClosed = false;

  const ask = async (
    { name, file, args, maxBytes, signal }: Command,
    take: (bytes: Uint8Array) => boolean,
  ): Promise<string> => {
    const line = [file, ...args].join(' ');
    if (isClosed) throw new CommandError(`${line}: stopping`);
    let bytes = 0;
    let refusal: string | undefined;
    const refuse = (why: string): void => {
      refusal = why;
      pending.enough();
    };
    const pending = sendRequest(socket, line, (output) => {
      if (refusal !== undefined) return;
      bytes += output.length;
      if (bytes > maxBytes) return refuse(`more than ${maxBytes} bytes of output`);
      try {
        if (!take(output)) pending.enough();
      } catch (error) {
        refuse((error as Error).message);
      }
    });
    underWay.add(pending);
    signal?.addEventListener('abort', pending.enough);
    try {
      const { error, seconds, complaint } = await pending.last.then(answerIn<CommandAnswer>).catch((cause: Error) => {
        throw new CommandError(`${line}: the helper does not answer: ${cause.message}`, { cause });
      });
      if (seconds !== undefined) observe(name, seconds);
      if (refusal !== undefined) throw new CommandError(`${line}: ${refusal}`);
      if (error !== undefined) throw new CommandError(error);
      return complaint;
    } finally {
      signal?.removeEventListener('abort', pending.enough);
      underWay.delete(pending);
    }
  };

  return {
    run: async (command): Promise<CommandOutput> => {
      const output: Uint8Array[] = [];
      const complaint = await ask(command, (bytes) => output.push(bytes) > 0);
      return { stdout: Buffer.concat(output).toString('utf8'), complaint };
    },
    stream: async (command, take) => void (await ask(command, take)),
    find: (name) => (has(name) ? name : undefined),
    searched:
      'where the helper looks (its --path.tools, its PATH and /usr/lib/xen-*/bin; xentrace and lsevtchn only if its own configuration enables collector.runstate)',
    close: () => {
      isClosed = true;
      for (const pending of underWay) pending.abandon();
    },
  };
};
