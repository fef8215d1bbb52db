import { afterEach, beforeEach, expect, test } from 'vitest';
import { chmodSync } from 'node:fs';
import { CommandError, findOnPath, localCommands, type Commands } from '../../src/host/commands.ts';
import { TempTree } from '../support/fake-host.ts';
import { until } from '../support/until.ts';

let tree: TempTree;
let commands: Commands;
beforeEach(() => {
  tree = new TempTree();
  commands = localCommands();
});
afterEach(() => tree[Symbol.dispose]());

const script = (body: string): string => {
  tree.write({ tool: `#!/bin/sh\n${body}\n` });
  chmodSync(tree.path('tool'), 0o755);
  return tree.path('tool');
};

const run = (body: string, limits: { timeoutSeconds?: number; maxBytes?: number } = {}): Promise<string> =>
  commands.run({ file: script(body), args: ['-x', 'a b'], timeoutSeconds: 10, maxBytes: 1000, ...limits });

const isAlive = (pid: number): boolean => {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
};

test('gives standard output; arguments are not split; the locale is C', async () => {
  expect(await run('printf "%s|%s|%s" "$1" "$2" "$LC_ALL"')).toBe('-x|a b|C');
});

test('a failure names the command, its status and the first line of stderr', async () => {
  await expect(run('echo; echo "no such domain" >&2; exit 3')).rejects.toThrow(
    new CommandError(`${tree.path('tool')} -x a b: exit status 3: no such domain`),
  );
});

test('a command that hangs is killed at its deadline, with what it forked', async () => {
  const hanging = run(`sleep 300 & echo $! > ${tree.path('pid')}; wait`, { timeoutSeconds: 0.3 });
  await expect(hanging).rejects.toThrow(`${tree.path('tool')} -x a b: no end within 0.3 s`);
  const { readFileSync } = await import('node:fs');
  const pid = Number(readFileSync(tree.path('pid'), 'utf8'));
  await until('the grandchild to be gone', () => !isAlive(pid) || undefined);
});

test('a grandchild that keeps the output open does not outlive the deadline', async () => {
  await expect(run('sleep 300 & exit 0', { timeoutSeconds: 0.3 })).rejects.toThrow('no end within 0.3 s');
});

test('output without end is cut off', async () => {
  await expect(run('yes', { maxBytes: 10_000 })).rejects.toThrow('more than 10000 bytes of output');
});

test('a program that does not exist', async () => {
  await expect(commands.run({ file: tree.path('none'), args: [], timeoutSeconds: 1, maxBytes: 1 })).rejects.toThrow(
    `${tree.path('none')}: spawn ${tree.path('none')} ENOENT`,
  );
});

test('close kills what runs', async () => {
  const running = run('exec sleep 300');
  const refused = expect(running).rejects.toThrow('SIGKILL');
  commands.close();
  await refused;
});

test('programs are found on the PATH', () => {
  expect(findOnPath('sh')).toMatch(/\/sh$/);
  expect(findOnPath('no-such-program')).toBeUndefined();
});
