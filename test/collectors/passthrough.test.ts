import { mkdirSync, symlinkSync } from 'node:fs';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { passthrough } from '../../src/collectors/passthrough.ts';
import { readText } from '../../tools/lib/fixture.ts';
import { collect, createCollector, runBackground, whyAbsent } from '../../tools/lib/collect.ts';
import { fakeHost, type TempTree } from '../../tools/lib/fake-host.ts';
import { copyOfHost, hostRoot } from '../../tools/lib/hosts.ts';

// No host with SR-IOV was available: the tree follows the kernel's Documentation/ABI/testing/sysfs-bus-pci. A physical
// function has sriov_totalvfs, and a link virtfnN to each enabled virtual function, which links back by physfn.
const physical = '0000:00:1f.0';
const bus = 'sys/devices/pci0000:00';

let tree: TempTree;
let host: ReturnType<typeof copyOfHost>['host'];
beforeEach(() => {
  ({ tree, host } = copyOfHost('credit-storm'));
});
afterEach(() => tree[Symbol.dispose]());

const writeDevice = (address: string, driver: string | undefined): void => {
  tree.write({ [`${bus}/${address}/class`]: '0x020000\n' });
  mkdirSync(tree.path('sys/bus/pci/devices'), { recursive: true });
  symlinkSync(`../../../devices/pci0000:00/${address}`, tree.path(`sys/bus/pci/devices/${address}`));
  if (driver === undefined) return;
  mkdirSync(tree.path(`sys/bus/pci/drivers/${driver}`), { recursive: true });
  symlinkSync(`../../../bus/pci/drivers/${driver}`, tree.path(`${bus}/${address}/driver`));
};

const writePhysicalFunction = (totalFunctions: number): void => {
  writeDevice(physical, 'igb');
  tree.write({ [`${bus}/${physical}/sriov_totalvfs`]: `${totalFunctions}\n` });
};

const writeVirtualFunction = (index: number, address: string, driver: string | undefined): void => {
  writeDevice(address, driver);
  symlinkSync(`../${address}`, tree.path(`${bus}/${physical}/virtfn${index}`));
  symlinkSync(`../${physical}`, tree.path(`${bus}/${address}/physfn`));
};

/** All samples: the device, its functions by state, and the assignable devices. */
const counted = async (): Promise<unknown> => {
  const collector = createCollector(passthrough, host);
  expect(await runBackground([collector])).toEqual([]);
  const page = await collect(collector, host);
  const functions = page
    .samples('xen_sriov_virtual_functions')
    .map(({ labels, value }) => [labels['device'], labels['state'], value]);
  return { functions, assignable: page.value('xen_pci_assignable_devices') };
};

test('virtual functions by what they are used for', async () => {
  // It lists 0000:00:1f.3. A device that is bound to pciback but not listed belongs to a guest.
  tree.write({ 'commands/xl pci-assignable-list': readText('xl/credit.xl-pci-assignable-list') });
  writePhysicalFunction(4);
  writeVirtualFunction(0, '0000:00:1f.1', 'igbvf');
  writeVirtualFunction(1, '0000:00:1f.2', 'pciback');
  writeVirtualFunction(2, '0000:00:1f.3', 'pciback');
  expect(await counted()).toEqual({
    functions: [
      [physical, 'off', 1],
      [physical, 'host', 1],
      [physical, 'assignable', 1],
      [physical, 'assigned', 1],
    ],
    assignable: 1,
  });
});

test('one without a driver is the host’s; those that were never switched on are off', async () => {
  writePhysicalFunction(8);
  writeVirtualFunction(0, '0000:00:1f.1', undefined);
  expect(await counted()).toEqual({
    functions: [
      [physical, 'off', 7],
      [physical, 'host', 1],
      [physical, 'assignable', 0],
      [physical, 'assigned', 0],
    ],
    assignable: 0,
  });
});

test('a device that cannot be read costs itself, and is reported', async () => {
  writePhysicalFunction(4);
  const other = '0000:00:1e.0';
  writeDevice(other, 'igb');
  tree.write({ [`${bus}/${other}/sriov_totalvfs`]: 'many\n' });
  const collector = createCollector(passthrough, host);
  expect((await runBackground([collector])).map(({ message }) => message)).toEqual([
    `${tree.path(`sys/bus/pci/devices/${other}/sriov_totalvfs`)}: expected an integer, found "many\\n"`,
  ]);
  const samples = (await collect(collector, host)).samples('xen_sriov_virtual_functions');
  expect(new Set(samples.map(({ labels }) => labels['device']))).toEqual(new Set([physical]));
});

test('other PCI devices count where they are assignable', async () => {
  tree.write({ 'commands/xl pci-assignable-list': readText('xl/credit.xl-pci-assignable-list') });
  writeDevice('0000:00:1f.3', 'pciback');
  expect(await counted()).toEqual({ functions: [], assignable: 1 });
});

test('without pciback nothing is assignable: xl then prints nothing, complains, and ends with 0', async () => {
  expect(readText('hosts/credit-storm/commands/xl pci-assignable-list.err')).toContain('pciback driver not loaded');
  expect(await counted()).toEqual({ functions: [], assignable: 0 });
});

test('a reading serves for three periods of the schedule', async () => {
  const collector = createCollector(passthrough, host);
  await runBackground([collector]);
  host.clock.advance(900);
  expect((await collect(collector, host)).value('xen_pci_assignable_devices')).toBe(0);
  host.clock.advance(1);
  expect((await collect(collector, host)).families.size).toBe(0);
});

test('without xl it says why it has nothing', () => {
  expect(whyAbsent(createCollector(passthrough, fakeHost(hostRoot('credit-storm'))))).toBe(
    'there is no xl among the recorded programs',
  );
});
