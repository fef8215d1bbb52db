import { ftruncateSync, openSync, closeSync, writeFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { xcpRrdd } from '../../src/collectors/xcp-rrdd.ts';
import { FileError, FileTree } from '../../src/host/file-tree.ts';
import type { Host } from '../../src/host/host.ts';
import { type Datasource, type Deviations, xcpRrddFile } from '../../tools/lib/xcp-rrdd-file.ts';
import { collect, createCollector, resetsOf, runBackground, whyAbsent } from '../../tools/lib/collect.ts';
import type { Exposition } from '../../tools/lib/exposition.ts';
import { fakeClock, fakeHost, TempTree } from '../../tools/lib/fake-host.ts';
import { hostOf } from '../../tools/lib/hosts.ts';

// domu1 and domu2 of test/fixtures/hosts/credit-storm, and a missing VM.
const domu1 = '6c9ee902-e8b7-484d-b5a1-502d89e835de';
const domu2 = '0641086c-26b3-4a6e-bcab-8d87f07e9f27';
const stranger = 'aaaaaaaa-26b3-4a6e-bcab-8d87f07e9f27';
const metric = 'xen_xapi_domain_runstate_seconds_total';
const file = 'dev/shm/metrics/xcp-rrdd-cpu';
// The time of fakeClock.
const now = 1_700_001_000;

const states = ['fullrun', 'full_contention', 'concurrency_hazard', 'blocked', 'partial_run', 'partial_contention'];

/** Datasources that rrdp_cpu.ml reports for a VM with one vCPU: `first`, `first` + 1, ... seconds in the six states. */
const ofVm = (uuid: string, first: number): Datasource[] => {
  const owner = `vm ${uuid}`;
  return [
    { name: 'cpu0', owner, value: 7.5, description: 'CPU0 usage' },
    ...states.map((state, i) => ({ name: `runstate_${state}`, owner, value: first + i })),
    { name: 'runstate_new', owner, value: 1 },
    { name: 'runnable_any', owner, value: 1 },
    { name: 'cpu_usage', owner, value: 1 },
  ];
};
const ofHost: Datasource[] = [
  { name: 'cpu0', owner: 'host', value: 100 },
  { name: 'runstate_fullrun', owner: 'host', value: 100 },
];

const write = (tree: TempTree, datasources: Datasource[], deviations?: Deviations, timestamp = now): void => {
  tree.write({ [file]: xcpRrddFile(timestamp, datasources, deviations) });
};

const seriesOf = (page: Exposition): Record<string, number[]> => {
  const samples = page.samples(metric);
  const domains = [...new Set(samples.map(({ labels }) => labels['domain']!))];
  const value = (domain: string) => states.map((state) => page.value(metric, { domain, state })!);
  expect(samples).toHaveLength(domains.length * states.length);
  return Object.fromEntries(domains.map((domain) => [domain, value(domain)]));
};

/** The captured Dom0 with xcp-rrdd's file from its own folder. */
const dom0 = (tree: TempTree): ReturnType<typeof hostOf> => ({
  ...hostOf('credit-storm'),
  rrdMetrics: fakeHost(tree.root).rrdMetrics,
});

test('the six states of the VMs that xl lists, by their names; those of a VM that restarted go on', async () => {
  using tree = new TempTree();
  const host = dom0(tree);
  const collector = createCollector(xcpRrdd, host);
  write(tree, [...ofHost, ...ofVm(domu2, 10), ...ofVm(stranger, 20), ...ofVm(domu1.toUpperCase(), 30)]);
  expect(seriesOf(await collect(collector, host))).toEqual({});
  await runBackground([collector]);
  expect(seriesOf(await collect(collector, host))).toEqual({
    domu2: [10, 11, 12, 13, 14, 15],
    domu1: [30, 31, 32, 33, 34, 35],
  });
  host.clock.advance(5);
  write(tree, [...ofVm(domu1, 0.5)], {}, now + 5);
  expect(seriesOf(await collect(collector, host))).toEqual({ domu1: [30.5, 32.5, 34.5, 36.5, 38.5, 40.5] });
  expect(resetsOf(collector)).toBe(6);
});

test('time that passed while xcp-rrdd stood still counts', async () => {
  using tree = new TempTree();
  const host = fakeHost(tree.root, { clock: fakeClock() });
  const clock = host.clock as ReturnType<typeof fakeClock>;
  const collector = createCollector(xcpRrdd, host);
  const blocked = async () => seriesOf(await collect(collector, host))[`uuid:${domu1}`]![3];
  write(tree, ofVm(domu1, 0));
  expect(await blocked()).toBe(3);
  for (let i = 0; i < 3; i += 1) {
    clock.advance(15);
    expect(await blocked()).toBe(3);
  }
  clock.advance(13);
  write(tree, ofVm(domu1, 58), {}, now + 58);
  expect(await blocked()).toBe(61);
  expect(resetsOf(collector)).toBe(0);
});

test.each([-3600, -30, 20, 50])('a wall clock that is set by %d s changes nothing', async (step) => {
  using tree = new TempTree();
  const clock = fakeClock();
  let offset = 0;
  const host = fakeHost(tree.root, { clock: { ...clock, wallSeconds: () => clock.wallSeconds() + offset } });
  const collector = createCollector(xcpRrdd, host);
  /**
   * The total in a scrape 15 s after the last one and 2 s after the file was written, when the clock was off by
   * `offset`.
   */
  const blocked = async (seconds: number, offsetOfFile: number) => {
    clock.advance(15);
    write(tree, ofVm(domu1, seconds), {}, clock.wallSeconds() - 2 + offsetOfFile);
    return seriesOf(await collect(collector, host))[`uuid:${domu1}`]![3];
  };
  expect([await blocked(0, 0), await blocked(15, 0)]).toEqual([3, 18]);
  offset = step;
  expect(await blocked(30, 0)).toBe(33);
  expect([await blocked(45, step), await blocked(60, step)]).toEqual([48, 63]);
  expect(resetsOf(collector)).toBe(0);
});

test.each([-3600, 3600])(
  'a plugin that has died is a failure, also when the wall clock is set by %d s',
  async (step) => {
    using tree = new TempTree();
    const clock = fakeClock();
    let offset = 0;
    const host = fakeHost(tree.root, { clock: { ...clock, wallSeconds: () => clock.wallSeconds() + offset } });
    const collector = createCollector(xcpRrdd, host);
    const scrape = async () => Object.keys(seriesOf(await collect(collector, host)));
    write(tree, ofVm(domu1, 1));
    expect(await scrape()).toHaveLength(1);
    offset = step;
    clock.advance(60);
    expect(await scrape()).toHaveLength(1);
    clock.advance(1);
    await expect(scrape()).rejects.toThrow('expected a timestamp at most 60 s old, found one 61 s old');
  },
);

test('where xl cannot be asked VMs go by their uuid', async () => {
  using tree = new TempTree();
  write(tree, [...ofVm(domu1, 1), ...ofVm(stranger, 2)]);
  const host = fakeHost(tree.root);
  expect(seriesOf(await collect(createCollector(xcpRrdd, host), host))).toEqual({
    [`uuid:${domu1}`]: [1, 2, 3, 4, 5, 6],
    [`uuid:${stranger}`]: [2, 3, 4, 5, 6, 7],
  });
});

test('a VM that is reported twice, as while it reboots, has one series for each state', async () => {
  using tree = new TempTree();
  write(tree, [...ofVm(domu1, 1), ...ofVm(domu1, 2)]);
  const host = fakeHost(tree.root);
  expect(seriesOf(await collect(createCollector(xcpRrdd, host), host))).toEqual({
    [`uuid:${domu1}`]: [1, 2, 3, 4, 5, 6],
  });
});

test('of two domains with one uuid the first counts', async () => {
  using tree = new TempTree();
  write(tree, ofVm(domu1, 1));
  const copy = dom0(tree);
  const host: Host = {
    ...copy,
    commands: {
      ...copy.commands,
      run: async (command) => {
        const { stdout, complaint } = await copy.commands.run(command);
        const row = /^domu1 .*\n/m.exec(stdout)?.[0] ?? '';
        return { stdout: stdout + row.replace(/ 1 /, ' 9 '), complaint };
      },
    },
  };
  const collector = createCollector(xcpRrdd, host);
  await runBackground([collector]);
  expect(Object.keys(seriesOf(await collect(collector, host)))).toEqual(['domu1']);
});

test('on other hosts there is no such file; one that is being made does not count', () => {
  using tree = new TempTree().write({ [`${file}.tmp`]: xcpRrddFile(now, ofHost) });
  const collector = createCollector(xcpRrdd, fakeHost(tree.root));
  expect(whyAbsent(collector)).toBe(`${tree.path(file)} does not exist`);
  write(tree, ofHost);
  expect(collector.availability()).toBe(true);
});

test('an old file is a failure that says how old', async () => {
  using tree = new TempTree();
  const host = fakeHost(tree.root);
  const collector = createCollector(xcpRrdd, host);
  write(tree, ofVm(domu1, 1), {}, now - 60);
  expect(Object.keys(seriesOf(await collect(collector, host)))).toHaveLength(1);
  write(tree, ofVm(domu1, 1), {}, now - 75.25);
  await expect(collect(collector, host)).rejects.toThrow(
    `${tree.path(file)}: expected a timestamp at most 60 s old, found one 75 s old: its plugin has died or overflows the file`,
  );
});

test('a file that goes away meanwhile is a missing file, named once', async () => {
  using tree = new TempTree();
  const host = fakeHost(tree.root);
  await expect(collect(createCollector(xcpRrdd, host), host)).rejects.toThrow(
    new FileError(tree.path(file), 'ENOENT', 'ENOENT: no such file or directory'),
  );
});

test.each([
  [1, true],
  [2, true],
  [3, false],
])('a file that is being written when it is read %i times', async (torn, isRead) => {
  using tree = new TempTree();
  write(tree, ofVm(domu1, 1), { dataCrc: 0 });
  let reads = 0;
  const rrdMetrics = new FileTree(tree.path('dev/shm/metrics')).with(() => {
    if (reads === torn) write(tree, ofVm(domu1, 1));
    reads += 1;
  });
  const host = { ...fakeHost(tree.root), rrdMetrics };
  const page = collect(createCollector(xcpRrdd, host), host);
  if (isRead) expect(Object.keys(seriesOf(await page))).toHaveLength(1);
  else await expect(page).rejects.toThrow(`${tree.path(file)}: expected values with the CRC 00000000, found some with`);
  expect(reads).toBe(isRead ? torn + 1 : 3);
});

test('of a file of many pages only the beginning is read, of more than one chunk where there are many VMs', async () => {
  using tree = new TempTree();
  const uuids = Array.from({ length: 100 }, (_, i) => `${String(i).padStart(8, '0')}${domu1.slice(8)}`);
  write(
    tree,
    uuids.flatMap((uuid) => ofVm(uuid, 1)),
  );
  const descriptor = openSync(tree.path(file), 'r+');
  // More than the maximum that is read.
  ftruncateSync(descriptor, 100 << 20);
  closeSync(descriptor);
  const host = fakeHost(tree.root);
  expect(Object.keys(seriesOf(await collect(createCollector(xcpRrdd, host), host)))).toHaveLength(100);
  writeFileSync(tree.path(file), 'x'.repeat(100));
  await expect(collect(createCollector(xcpRrdd, host), host)).rejects.toThrow(
    `${tree.path(file)}: expected "DATASOURCES", found "xxxxxxxxxxx"`,
  );
});
