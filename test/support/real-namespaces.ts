import { spawnSync } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { commandOutput } from '../../tools/lib/command.ts';
import { debianTool, type ToolName } from '../../tools/lib/debian.ts';
import { TcpServer } from '../../tools/lib/tcp-server.ts';

/** Why this machine cannot create network namespaces (tests are then skipped); undefined if it can. */
export const noNamespaces = (): string | undefined => {
  if (process.getuid?.() !== 0) return 'network namespaces are made by root alone';
  const { status, stderr, error } = spawnSync('unshare', ['--net', 'true'], { encoding: 'utf8' });
  return status === 0 ? undefined : `unshare --net: ${error?.message ?? stderr.trim()}`;
};

const tool = async (wrapper: readonly string[], name: ToolName, args: readonly string[]): Promise<string> => {
  const { path, env } = await debianTool(name);
  const [command, ...rest] = [...wrapper, path, ...args];
  return commandOutput(command!, rest, { env });
};

/** Runs `ip` in our own network namespace. */
export const ip = (...args: readonly string[]): Promise<string> => tool([], 'ip', args);

/** A network namespace created by `ip netns add`, with a loopback device. */
export class NamedNamespace implements AsyncDisposable {
  readonly name: string;

  private constructor(name: string) {
    this.name = name;
  }

  static async add(): Promise<NamedNamespace> {
    const name = `xen-test-${randomUUID().slice(0, 8)}`;
    await ip('netns', 'add', name);
    await ip('-n', name, 'link', 'set', 'lo', 'up');
    return new NamedNamespace(name);
  }

  /** Command that runs another command in this namespace. */
  get wrapper(): string[] {
    return ['nsenter', `--net=/run/netns/${this.name}`];
  }

  /** Starts a server process in it. */
  startServer(): Promise<TcpServer> {
    return TcpServer.start(this.wrapper);
  }

  /** Output of ss in it. */
  ss(...args: readonly string[]): Promise<string> {
    return this.run('ss', args);
  }

  /** Output of another Debian tool in it. */
  run(name: ToolName, args: readonly string[]): Promise<string> {
    return tool(this.wrapper, name, args);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await ip('netns', 'delete', this.name);
  }
}

/** Starts a process alone in an unnamed network namespace. */
export const startServerAlone = async (): Promise<TcpServer> => {
  const server = await TcpServer.start(['unshare', '--net']);
  // It answers after the move.
  await server.moveToNewNamespace();
  await tool(['nsenter', `--target=${server.pid}`, '--net'], 'ip', ['link', 'set', 'lo', 'up']);
  return server;
};
