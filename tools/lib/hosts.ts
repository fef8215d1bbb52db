import { copyFileSync, cpSync, existsSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { basename, join, resolve } from 'node:path';
import { CommandError, type Commands } from '../../src/host/commands.ts';
import { filledLines, firstLine } from '../../src/host/child.ts';
import { copiedHost } from './copied-host.ts';
import { TempTree } from './fake-host.ts';
import { project } from './project.ts';

/** Hosts in test/fixtures/hosts: Dom0 files and toolstack output captured from real Xen hosts. */
export const hosts = [
  'credit-idle',
  'credit-storm',
  'credit-netlink-storm',
  'credit-hvm-idle',
  'credit2-idle',
  'credit2-storm',
  'rtds-idle',
  'rtds-storm',
] as const;
export type HostName = (typeof hosts)[number];

export const hostRoot = (name: HostName): string => join(project, 'test/fixtures/hosts', name);

/** Commands that replay captured output like `bin/`, but without a process. Only captured programs exist. */
const replayCommands = (root: string): Commands => {
  const folder = resolve(root, 'commands');
  const captured = (name: string): string | undefined => {
    const file = resolve(folder, name);
    return existsSync(file) ? readFileSync(file, 'utf8') : undefined;
  };
  return {
    find: (name) => {
      const file = resolve(root, 'bin', name);
      const isCaptured = existsSync(file) && readdirSync(folder).some((command) => command.split(' ')[0] === name);
      return isCaptured ? file : undefined;
    },
    searched: 'among the recorded programs',
    run: async ({ file, args }) => {
      const command = [basename(file), ...args].join(' ');
      const fail = (status: string, complaint: string): CommandError =>
        new CommandError([[file, ...args].join(' '), `exit status ${status}`, complaint].filter(Boolean).join(': '));
      const stdout = captured(command);
      if (stdout === undefined) throw fail('1', `replay: no capture of: ${command}`);
      const complaint = filledLines(captured(`${command}.err`) ?? '').join('\n');
      const status = captured(`${command}.exit`)?.trim();
      if (status !== undefined) throw fail(status, firstLine(complaint));
      return { stdout, complaint };
    },
    stream: ({ file, args }) =>
      Promise.reject(new CommandError(`${[file, ...args].join(' ')}: replay: no capture of streams`)),
    close: () => {},
  };
};

/** A captured host. */
export const hostOf = (name: HostName): ReturnType<typeof copiedHost> =>
  copiedHost(hostRoot(name), { commands: replayCommands(hostRoot(name)) });

/** A modifiable copy of a captured host: all of it, or only these files and folders with `bin`. */
export const copyOfHost = (
  name: HostName,
  parts: readonly string[] = ['.'],
): { tree: TempTree; host: ReturnType<typeof copiedHost> } => {
  const tree = new TempTree();
  for (const part of parts) {
    cpSync(resolve(hostRoot(name), part), tree.path(part), { recursive: true, verbatimSymlinks: true });
  }
  // Its programs link to a replay script shared by all hosts.
  for (const program of readdirSync(tree.path('bin'))) {
    rmSync(tree.path(`bin/${program}`));
    copyFileSync(resolve(hostRoot(name), 'bin', program), tree.path(`bin/${program}`));
  }
  return { tree, host: copiedHost(tree.root, { commands: replayCommands(tree.root) }) };
};
