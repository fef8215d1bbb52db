import { mkdirSync, rmSync } from 'node:fs';
import { afterEach, beforeEach, expect, test } from 'vitest';
import type { Collector } from '../../src/collectors/collector.ts';
import { vbd } from '../../src/collectors/vbd.ts';
import { collect, createCollector, resetsOf, runBackground, whyAbsent } from '../../tools/lib/collect.ts';
import type { TempTree } from '../../tools/lib/fake-host.ts';
import { copyOfHost } from '../../tools/lib/hosts.ts';

const statistics = 'sys/bus/xen-backend/devices/vbd-1-51712/statistics';
const domu1 = { domain: 'domu1', device: '51712' };

let tree: TempTree;
let host: ReturnType<typeof copyOfHost>['host'];
let collector: Collector;
beforeEach(async () => {
  ({ tree, host } = copyOfHost('credit-storm'));
  collector = createCollector(vbd, host);
  await runBackground([collector]);
});
afterEach(() => tree[Symbol.dispose]());

/** Counters of domu1's block device by metric. */
const ofDomu1 = async (): Promise<Record<string, number | undefined>> => {
  const page = await collect(collector, host);
  return Object.fromEntries(vbd.metrics.map(({ name }) => [name, page.value(name, domu1)]));
};

test('each file is a counter, and those of sectors are bytes', async () => {
  const files = { rd_req: 1, wr_req: 2, f_req: 3, ds_req: 4, rd_sect: 5, wr_sect: 6, oo_req: 7 };
  tree.write(Object.fromEntries(Object.entries(files).map(([file, n]) => [`${statistics}/${file}`, `${n}\n`])));
  expect(await ofDomu1()).toEqual({
    xen_vbd_read_requests_total: 1,
    xen_vbd_write_requests_total: 2,
    xen_vbd_flush_requests_total: 3,
    xen_vbd_discard_requests_total: 4,
    xen_vbd_read_bytes_total: 5 * 512,
    xen_vbd_written_bytes_total: 6 * 512,
    xen_vbd_out_of_requests_total: 7,
  });
});

test('every guest that has one, under its name', async () => {
  const samples = (await collect(collector, host)).samples('xen_vbd_read_bytes_total');
  expect(samples.map(({ labels, value }) => [labels, value])).toEqual([
    [domu1, 67634 * 512],
    [{ domain: 'domu2', device: '51712' }, 65634 * 512],
    [{ domain: 'pvh1', device: '51712' }, 65506 * 512],
  ]);
});

test('a device that is not connected has no statistics and no series', async () => {
  rmSync(tree.path(statistics), { recursive: true });
  const page = await collect(collector, host);
  const domains = vbd.metrics.map(({ name }) => page.samples(name).map(({ labels }) => labels['domain']));
  expect(domains).toEqual(vbd.metrics.map(() => ['domu2', 'pvh1']));
});

test('a device that reconnects counts from 0, and its series go on', async () => {
  const values = async () => {
    const { xen_vbd_read_requests_total: requests, xen_vbd_read_bytes_total: bytes } = await ofDomu1();
    return [requests, bytes];
  };
  expect(await values()).toEqual([610, 67634 * 512]);
  tree.write({ [`${statistics}/rd_req`]: '0\n', [`${statistics}/rd_sect`]: '0\n' });
  expect(await values()).toEqual([610, 67634 * 512]);
  tree.write({ [`${statistics}/rd_req`]: '5\n', [`${statistics}/rd_sect`]: '40\n' });
  expect(await values()).toEqual([615, (67634 + 40) * 512]);
});

test.each(['-10', '18446744073709551606'])('a statistic of %s costs no other one, and adds nothing', async (absurd) => {
  const before = await ofDomu1();
  for (const text of [absurd, absurd]) {
    tree.write({ [`${statistics}/rd_req`]: `${text}\n` });
    expect(await ofDomu1()).toEqual(before);
  }
  expect(resetsOf(collector)).toBeGreaterThan(0);
  tree.write({ [`${statistics}/rd_req`]: '611\n' });
  expect((await ofDomu1())['xen_vbd_read_requests_total']).toBe(611);
});

test('where no block device is served it says so', () => {
  for (const domid of [1, 2, 3]) {
    rmSync(tree.path(`sys/bus/xen-backend/devices/vbd-${domid}-51712`), { recursive: true });
  }
  expect(whyAbsent(collector)).toBe(`no block device in ${tree.path('sys/bus/xen-backend/devices')}`);
});

test('a file that cannot be read or parsed costs its own series only', async () => {
  tree.write({ [`${statistics}/f_req`]: 'many\n' });
  rmSync(tree.path(`${statistics}/rd_req`));
  mkdirSync(tree.path(`${statistics}/rd_req`));
  const { xen_vbd_read_requests_total, xen_vbd_flush_requests_total, ...others } = await ofDomu1();
  expect([xen_vbd_read_requests_total, xen_vbd_flush_requests_total]).toEqual([undefined, undefined]);
  expect(Object.values(others)).not.toContain(undefined);
  expect((await collect(collector, host)).samples('xen_vbd_read_requests_total')).toHaveLength(2);
});
