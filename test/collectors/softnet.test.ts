import { afterEach, beforeEach, expect, test } from 'vitest';
import type { Collector } from '../../src/collectors/collector.ts';
import { softnet } from '../../src/collectors/softnet.ts';
import type { Host } from '../../src/host/host.ts';
import { collect, createCollector } from '../../tools/lib/collect.ts';
import { fakeHost, TempTree } from '../../tools/lib/fake-host.ts';

let tree: TempTree;
let host: Host;
let collector: Collector;
beforeEach(() => {
  tree = new TempTree();
  host = fakeHost(tree.root);
  collector = createCollector(softnet, host);
});
afterEach(() => tree[Symbol.dispose]());

/** Packets by CPU, on a kernel before 5.10 with these counts in its rows. */
const processed = async (online: string | undefined, ...counts: number[]): Promise<Record<string, number>> => {
  const rows = counts.map((count) => `${count.toString(16).padStart(8, '0')}${' 00000000'.repeat(10)}\n`);
  tree.write({ 'proc/net/softnet_stat': rows.join('') });
  if (online !== undefined) tree.write({ 'sys/devices/system/cpu/online': `${online}\n` });
  const samples = (await collect(collector, host)).samples('xen_softnet_processed_packets_total');
  return Object.fromEntries(samples.map(({ labels, value }) => [labels['cpu']!, value]));
};

test('a CPU that goes and comes back does not move the counts of those behind it', async () => {
  expect(await processed('0-2', 10, 5, 6e8)).toEqual({ 0: 10, 1: 5, 2: 6e8 });
  expect(await processed('0,2', 11, 6e8 + 1)).toEqual({ 0: 11, 2: 6e8 + 1 });
  expect(await processed('0-2', 12, 6, 6e8 + 2)).toEqual({ 0: 12, 1: 6, 2: 6e8 + 2 });
});

test('rows that are not those of the CPUs online are an error', async () => {
  await expect(processed('0-2', 1, 2)).rejects.toThrow(
    `${tree.path('sys/devices/system/cpu/online')}: expected 2 CPUs, as many as rows of net/softnet_stat, found 3`,
  );
});

test('where the kernel does not list its CPUs, they are numbered', async () => {
  expect(await processed(undefined, 1, 2)).toEqual({ 0: 1, 1: 2 });
});
