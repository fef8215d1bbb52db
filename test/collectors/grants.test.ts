import { afterEach, beforeEach, expect, test } from 'vitest';
import type { Collector } from '../../src/collectors/collector.ts';
import { grants } from '../../src/collectors/grants.ts';
import { readText } from '../../tools/lib/fixture.ts';
import { collect, createCollector, runBackground, whyAbsent } from '../../tools/lib/collect.ts';
import { fakeHost, type TempTree } from '../../tools/lib/fake-host.ts';
import { copyOfHost, hostOf, hostRoot } from '../../tools/lib/hosts.ts';

let tree: TempTree;
let host: ReturnType<typeof copyOfHost>['host'];
let collector: Collector;
beforeEach(() => {
  ({ tree, host } = copyOfHost('credit-netlink-storm'));
  collector = createCollector(grants, host);
});
afterEach(() => tree[Symbol.dispose]());

/**
 * Makes xl list only these domains, pvh1 with the domid 99: xen-diag was captured for domids 0, 1 and the nonexistent
 * 99.
 */
const listOnly = (...domains: string[]): void => {
  const [heading, ...rows] = readText('hosts/credit-netlink-storm/commands/xl list -v').split('\n');
  const listed = rows.filter((row) => domains.includes(row.split(' ')[0]!));
  const text = [heading, ...listed, ''].join('\n');
  tree.write({ 'commands/xl list -v': text.replace(/^(pvh1 +) 3 /m, '$199 ') });
};

const series = async (): Promise<unknown> => {
  const page = await collect(collector, host);
  return Object.fromEntries(
    grants.metrics.map(({ name }) => [name, page.samples(name).map(({ labels, value }) => [labels['domain'], value])]),
  );
};

const ofDom0AndDomu1 = {
  xen_domain_grant_frames: [
    ['Domain-0', 1],
    ['domu1', 3],
  ],
  xen_domain_grant_frames_limit: [
    ['Domain-0', 64],
    ['domu1', 64],
  ],
};
const none = { xen_domain_grant_frames: [], xen_domain_grant_frames_limit: [] };

test('frames and their limit, by name', async () => {
  listOnly('Domain-0', 'domu1');
  expect(await series()).toEqual(none);
  expect(await runBackground([collector])).toEqual([]);
  expect(await series()).toEqual(ofDom0AndDomu1);
});

test('a domain that is gone when xen-diag is asked for it does not cost the others theirs', async () => {
  listOnly('Domain-0', 'domu1', 'pvh1');
  await collector.sharedTasks![0]!.run();
  listOnly('Domain-0', 'domu1');
  await collector.background![0]!.run();
  expect(await series()).toEqual(ofDom0AndDomu1);
});

test('one that is still there is missing: a failure, but the others have theirs', async () => {
  listOnly('Domain-0', 'domu1', 'pvh1');
  expect((await runBackground([collector])).map(({ message }) => message)).toEqual([
    `xen-diag gnttab_query_size: expected all domains of xl list, found nothing of domid 99 (${tree.path('bin/xen-diag')} gnttab_query_size 99: exit status 1: xc: error: Could not query dom 99's grant size: Internal error)`,
  ]);
  expect(await series()).toEqual(ofDom0AndDomu1);
});

test('where xen-diag fails for all it is a failure', async () => {
  listOnly('pvh1');
  expect((await runBackground([collector])).map(({ message }) => message)).toEqual([
    `${tree.path('bin/xen-diag')} gnttab_query_size 99: exit status 1: xc: error: Could not query dom 99's grant size: Internal error`,
  ]);
  expect(await series()).toEqual(none);
});

test('without a list of domains it asks for one itself', async () => {
  listOnly('Domain-0', 'domu1');
  await collector.background![0]!.run();
  expect(await series()).toEqual(none);
  await collector.sharedTasks![0]!.run();
  expect(await series()).toEqual(ofDom0AndDomu1);
});

test('a reading serves for three periods of the schedule', async () => {
  listOnly('Domain-0', 'domu1');
  await runBackground([collector]);
  host.clock.advance(900);
  expect(await series()).toEqual(ofDom0AndDomu1);
  host.clock.advance(1);
  expect(await series()).toEqual(none);
});

test('without xen-diag, or without xl, it says so', () => {
  expect(whyAbsent(createCollector(grants, hostOf('credit-storm')))).toBe(
    'there is no xen-diag among the recorded programs',
  );
  expect(whyAbsent(createCollector(grants, fakeHost(hostRoot('credit-netlink-storm'))))).toBe(
    'there is no xl among the recorded programs',
  );
});
