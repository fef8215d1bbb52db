import type { Host } from '../host.ts';
import { openBlockingClient, resting, type Exchange } from './blocking-client.ts';
import { remoteCommands } from './remote-commands.ts';
import { copiesOfTree, TreeWithHelper } from './remote-files.ts';
import type { HelperLink } from './helper-link.ts';
import type { RemoteTree } from './requests.ts';

/** Timeout for a helper to read all files of a request. */
const requestTimeoutSeconds = 1;

const blockingClientOf = async (socket: string): Promise<Exchange> => {
  try {
    return await openBlockingClient(socket, requestTimeoutSeconds);
  } catch (error) {
    return () => {
      throw new Error(`cannot load the system calls: ${(error as Error).message}`);
    };
  }
};

/**
 * A host whose helper reads what needs root. Only the helper runs programs; this process starts none. `observeCommand`
 * receives each program's duration.
 */
export const remoteHost = async (
  host: Host,
  {
    socket,
    link,
    observeCommand,
  }: { socket: string; link: HelperLink; observeCommand?: (name: string, seconds: number) => void },
): Promise<Host> => {
  const exchange = resting(await blockingClientOf(socket), host.clock);
  const helped = (tree: RemoteTree): TreeWithHelper =>
    new TreeWithHelper(host[tree], copiesOfTree(tree, exchange, host.clock));
  return {
    ...host,
    procfs: helped('procfs'),
    debugfs: helped('debugfs'),
    rrdMetrics: helped('rrdMetrics'),
    commands: remoteCommands({ socket, has: (program) => link.has(program), observe: observeCommand }),
  };
};
