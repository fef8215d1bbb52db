import { basename } from 'node:path';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { registry } from '../../../src/collectors/registry.ts';
import type { Commands } from '../../../src/host/commands.ts';
import { FileTree } from '../../../src/host/file-tree.ts';
import {
  filesOf,
  remoteCommand,
  programsFor,
  remoteCollectors,
  remoteFiles,
} from '../../../src/host/helper/requests.ts';
import { readText } from '../../../tools/lib/fixture.ts';
import { createCollector, runBackground } from '../../../tools/lib/collect.ts';
import { TempTree } from '../../../tools/lib/fake-host.ts';
import { editedCommands, knownCommands } from '../../../tools/lib/helper-requests.ts';
import { hostOf, hosts } from '../../../tools/lib/hosts.ts';
import { toolstackOf } from '../../../tools/lib/sources.ts';

/** Command lines of all collectors on a recorded host. */
const linesOn = async (host: (typeof hosts)[number]): Promise<string[]> => {
  const lines = new Set<string>();
  const machine = hostOf(host);
  const note = ({ file, args }: { file: string; args: readonly string[] }): void =>
    void lines.add([basename(file), ...args].join(' '));
  const commands: Commands = {
    ...machine.commands,
    find: (name) => machine.commands.find(name) ?? `/usr/sbin/${name}`,
    run: (command) => {
      note(command);
      if (basename(command.file) !== 'lsevtchn') return machine.commands.run(command);
      return Promise.resolve({ stdout: readText('xl/credit-storm.lsevtchn-0'), complaint: '' });
    },
    stream: (command) => {
      note(command);
      return Promise.reject(new Error('cut off'));
    },
  };
  const noted = { ...machine, commands };
  const toolstack = toolstackOf(noted);
  await runBackground(registry.map((definition) => createCollector(definition, noted, {}, { toolstack })));
  return [...lines];
};

test('whatever collectors run is on the list, as they write it; but ss, which needs no root', async () => {
  const all = (await Promise.all(hosts.map(linesOn))).flat();
  const lines = new Set(all.filter((line) => !line.startsWith('ss ')));
  expect([...lines].filter((line) => remoteCommand(line) === undefined)).toEqual([]);
  // Each program was seen at least once, except Open vSwitch, which none of these hosts has.
  const programs = new Set([...lines].map((line) => line.split(' ')[0]));
  expect(programsFor(new Set(remoteCollectors)).filter((program) => !programs.has(program))).toEqual(['ovs-appctl']);
});

test('what only one collector runs, and that is off unless switched on, the helper runs only where it is enabled', async () => {
  const onlyFor = (names: readonly string[]): string[] =>
    programsFor(new Set(names)).filter((program) => !programsFor(new Set()).includes(program));
  expect(remoteCollectors.map((name) => registry.find((each) => each.name === name)?.enabledByDefault)).toEqual([
    false,
  ]);
  expect(onlyFor(['runstate']).sort()).toEqual(['lsevtchn', 'xentrace']);
});

describe('nothing but the list', () => {
  test('a command is what its name says', () => {
    const lines = knownCommands
      .map((line) => remoteCommand(line))
      .map((command) => [command?.program, ...command!.args].join(' '));
    expect(lines).toEqual(knownCommands);
    expect(remoteCommand('xen-diag gnttab_query_size 7')?.name).toBe('xen-diag gnttab_query_size');
    expect(remoteCommand('xentrace -D -e 0x00021000 -T 3 /dev/stdout')?.streamsFor).toBe(3);
  });

  test.each([
    'xl destroy domu1',
    'xl list',
    'xl list -v ',
    ' xl list -v',
    'xl  list -v',
    'xl list -v; reboot',
    'xl list -v\0',
    '/usr/sbin/xl list -v',
    'XL list -v',
    'xen-diag gnttab_query_size -1',
    'xen-diag gnttab_query_size 07',
    'xen-diag gnttab_query_size 7.0',
    'xen-diag gnttab_query_size 1e1',
    'xen-diag gnttab_query_size 0x7',
    'xen-diag gnttab_query_size  7',
    'xen-diag gnttab_query_size 32752',
    'xen-diag gnttab_query_size Infinity',
    'xen-diag gnttab_query_size NaN',
    'xen-diag gnttab_query_size ',
    'xen-diag gnttab_query_size',
    'xentrace -D -e 0x00021000 -T 0 /dev/stdout',
    'xentrace -D -e 0x00021000 -T 301 /dev/stdout',
    'xentrace -D -e 0x00021000 -T 3 /etc/shadow',
    'xentrace -D -e 0xffffffff -T 3 /dev/stdout',
    '__proto__',
    'constructor',
    'toString',
    '',
  ])('%j is no request', (request) => {
    expect(remoteCommand(request)).toBeUndefined();
    expect(filesOf(request)).toBeUndefined();
  });

  test('a name with a letter more, less or other is another name, or none', () => {
    fc.assert(
      fc.property(fc.oneof(editedCommands, fc.string({ unit: 'binary' })), (request) => {
        const command = remoteCommand(request);
        if (command === undefined) return;
        // Only numbers add names beyond the written list.
        expect([command.program, ...command.args].join(' ')).toBe(request);
        const [domid, seconds] = [/^xen-diag gnttab_query_size (\d+)$/, /^xentrace .* -T (\d+) \/dev\/stdout$/].map(
          (numbered) => numbered.exec(request)?.[1],
        );
        if (domid !== undefined) expect(Number(domid)).toBeLessThan(0x7ff0);
        else if (seconds !== undefined) expect(Number(seconds)).toBeLessThanOrEqual(300);
        else expect(knownCommands.concat('xl sched-credit', 'xl cpupool-list', 'xl sched-rtds')).toContain(request);
      }),
      { numRuns: 3000 },
    );
  });
});

describe('files', () => {
  test('all rings and nothing else of debugfs; what could not be read, and why', () => {
    using tree = new TempTree();
    tree.write({
      'xen-netback/vif1.0/io_ring_q0': 'a',
      'xen-netback/vif1.0/io_ring_q1': 'b\n',
      'xen-netback/vif1.0/ctrl': 'no',
      'xen-netback/vif2.0/io_ring_q0/is/a/folder': 'no',
      'bdi/other': 'no',
    });
    expect({ ...remoteFiles['netback-rings'].read(new FileTree(tree.root)) }).toEqual({
      files: { 'xen-netback/vif1.0/io_ring_q0': 'a', 'xen-netback/vif1.0/io_ring_q1': 'b\n' },
      failures: { 'xen-netback/vif2.0/io_ring_q0': 'EREFUSED' },
    });
    expect({ ...remoteFiles['netback-rings'].read(new FileTree(tree.path('none'))) }).toEqual({
      files: {},
      failures: { 'xen-netback': 'ENOENT' },
    });
  });

  test('of xcp-rrdd the file without the zeros at its end', () => {
    using tree = new TempTree();
    tree.write({ 'xcp-rrdd-cpu': Uint8Array.from([1, 0, 2, 0, 0, 0]) });
    expect(remoteFiles['xcp-rrdd-cpu'].read(new FileTree(tree.root)).files).toEqual({ 'xcp-rrdd-cpu': '\x01\0\x02' });
  });
});
