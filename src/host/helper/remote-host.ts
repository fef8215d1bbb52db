import type { Host } from '../host.ts';
import { openExchange, resting, type Exchange } from './blocking-client.ts';
import { helpedCommands } from './remote-commands.ts';
import { copiesOfTree, TreeWithHelper } from './remote-files.ts';
import type { HelperLink } from './helper-link.ts';
import type { HelpedTree } from './requests.ts';

/** For a helper to read all files of a request. */
const exchangeSeconds = 1;

const exchangeOver = async (socket: string): Promise<Exchange> => {
  try {
    return await openExchange(socket, exchangeSeconds);
  } catch (error) {
    return () => {
      throw new Error(`cannot load the system calls: ${(error as Error).message}`);
    };
  }
};

/**
 * A host of which a helper reads what only root can. Programs are the helper's alone: this process starts none. `observeCommand` is told how long
 * each ran.
 */
export const helpedHost = async (
  host: Host,
  {
    socket,
    link,
    observeCommand,
  }: { socket: string; link: HelperLink; observeCommand?: (name: string, seconds: number) => void },
): Promise<Host> => {
  const exchange = resting(await exchangeOver(socket), host.clock);
  const helped = (tree: HelpedTree): TreeWithHelper =>
    new TreeWithHelper(host[tree], copiesOfTree(tree, exchange, host.clock));
  return {
    ...host,
    procfs: helped('procfs'),
    debugfs: helped('debugfs'),
    rrdMetrics: helped('rrdMetrics'),
    commands: helpedCommands({ socket, has: (program) => link.has(program), observe: observeCommand }),
  };
};
