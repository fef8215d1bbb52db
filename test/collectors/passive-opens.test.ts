import { expect, test } from 'vitest';
import { PassiveOpens } from '../../src/collectors/listeners/passive-opens.ts';
import { fakeHost, TempTree } from '../../tools/lib/fake-host.ts';

const snmp = (opens: number): string => `Tcp: ActiveOpens PassiveOpens AttemptFails\nTcp: 7 ${opens} 3\n`;

test('whether connections came since it was asked last', () => {
  using tree = new TempTree().write({ 'proc/net/snmp': snmp(5) });
  const opens = new PassiveOpens(fakeHost(tree.root).procfs);
  expect(opens.haveGrown()).toBe(false);
  tree.write({ 'proc/net/snmp': snmp(6) });
  expect([opens.haveGrown(), opens.haveGrown()]).toEqual([true, false]);
});

test('a file that is missing or broken shows nothing, also when it is there again', () => {
  using tree = new TempTree();
  const opens = new PassiveOpens(fakeHost(tree.root).procfs);
  expect(opens.haveGrown()).toBe(false);
  for (const text of [snmp(5), 'Tcp: PassiveOpens\nTcp: many\n', snmp(9)]) {
    tree.write({ 'proc/net/snmp': text });
    expect(opens.haveGrown()).toBe(false);
  }
  tree.write({ 'proc/net/snmp': snmp(10) });
  expect(opens.haveGrown()).toBe(true);
});
