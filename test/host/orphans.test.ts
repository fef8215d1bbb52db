import { spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { endOrphans } from '../../src/host/orphans.ts';
import { exitOf, isAlive } from '../../tools/lib/child.ts';
import { TempTree } from '../../tools/lib/fake-host.ts';
import { project } from '../../tools/lib/project.ts';
import { until } from '../../tools/lib/until.ts';

const canSetpriv = spawnSync('setpriv', ['--pdeathsig', 'TERM', 'true']).status === 0;
/** A PATH without setpriv. */
const noPrograms = '/nonexistent';

let tree: TempTree;
let exporters: ChildProcess[];
/** Pids of their programs. */
let programs: number[];
beforeEach(() => {
  tree = new TempTree();
  exporters = [];
  programs = [];
});
afterEach(async () => {
  await Promise.all(exporters.filter(({ exitCode, signalCode }) => exitCode === null && signalCode === null).map(kill));
  endOrphans();
  // A program that is asked to end writes to the tree.
  await until('the programs to be gone', () => !programs.some(isAlive));
  tree[Symbol.dispose]();
});

/** Starts a process that runs a hanging program, which reports when it is asked to end. Resolves to both pids. */
const startExporter = async (name: string, env: NodeJS.ProcessEnv = {}): Promise<[ChildProcess, number]> => {
  // A shell reports on stderr that its command was ended, but that pipe has no reader any more.
  const body = `exec 2>/dev/null
    PATH=/usr/bin:/bin
    trap 'echo asked > ${tree.path(`${name}.asked`)}; exit' TERM
    echo $$ > ${tree.path(`${name}.new`)}
    mv ${tree.path(`${name}.new`)} ${tree.path(`${name}.pid`)}
    while :; do sleep 0.02; done`;
  const command = { name, file: tree.writeScript(name, body), args: [], timeoutSeconds: 300, maxBytes: 100 };
  const script = `
    import { localCommands } from ${JSON.stringify(join(project, 'src/host/commands.ts'))};
    await localCommands().run(${JSON.stringify(command)});`;
  const exporter = spawn(process.execPath, ['--input-type=module', '--eval', script], {
    env: { ...process.env, ...env },
    stdio: 'ignore',
  });
  exporters.push(exporter);
  await until('the program to run', () => existsSync(tree.path(`${name}.pid`)));
  const program = Number(readFileSync(tree.path(`${name}.pid`), 'utf8'));
  programs.push(program);
  return [exporter, program];
};

const kill = async (exporter: ChildProcess): Promise<void> => {
  const exited = exitOf(exporter);
  exporter.kill('SIGKILL');
  await exited;
};
const isAsked = (name: string): boolean => existsSync(tree.path(`${name}.asked`));

test.skipIf(!canSetpriv)('a program is asked to end when its exporter is killed', async () => {
  const [exporter] = await startExporter('xentrace');
  expect(isAsked('xentrace')).toBe(false);
  await kill(exporter);
  await until('the program to be asked', () => isAsked('xentrace'));
});

test('without setpriv the next start asks it, and leaves the programs of an exporter that lives', async () => {
  const [killed, orphan] = await startExporter('xentrace', { PATH: noPrograms });
  const [living] = await startExporter('xl', { PATH: noPrograms });
  expect(endOrphans().map(({ pid }) => pid)).not.toContain(orphan);
  expect(isAsked('xentrace')).toBe(false);
  await kill(killed);
  // An exporter that another test starts now may find it first.
  const mine = endOrphans().filter(({ pid }) => pid === orphan);
  expect([[], [{ pid: orphan, program: 'xentrace' }]]).toContainEqual(mine);
  await until('the program to be asked', () => isAsked('xentrace'));
  expect([living.exitCode, isAsked('xl')]).toEqual([null, false]);
});
