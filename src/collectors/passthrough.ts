import { Unavailable } from '../host/unavailable.ts';
import { parseInteger } from '../formats/integer.ts';
import { parsePciAssignableList } from '../formats/xl-pci-assignable-list.ts';
import type { FileTree } from '../host/file-tree.ts';
import { gauge } from '../metrics/descriptor.ts';
import { noLabels } from '../metrics/labels.ts';
import { absentCollector, defineCollector } from './collector.ts';
import { parsedIfAny, readItem, type Skips } from '../sources/parsed.ts';

const pciDevices = 'bus/pci/devices';

const metrics = {
  functions: gauge('xen_sriov_virtual_functions', {
    meaning:
      'Virtual functions of a network card or other PCI device, by use: "off" (not switched on), "host" (used by this kernel), "assignable" (set aside for guests, bound to pciback), "assigned" (used by a guest).',
    labels: ['device', 'state'],
    source: 'sriov_totalvfs and virtfn* of /sys/bus/pci/devices/DEVICE, xl pci-assignable-list',
    versions: 'Xen 4.17',
  }),
  assignable: gauge('xen_pci_assignable_devices', {
    meaning: 'PCI devices that are set aside for guests and that no guest has.',
    source: 'xl pci-assignable-list',
    versions: 'Xen 4.17',
  }),
};

type State = 'off' | 'host' | 'assignable' | 'assigned';

/** PCI devices with virtual functions. Throws FileError. */
const physicalFunctions = (sysfs: FileTree): string[] =>
  sysfs.listIfAny(pciDevices).filter((device) => sysfs.exists(`${pciDevices}/${device}/sriov_totalvfs`));

const baseName = (path: string | undefined): string | undefined => path?.split('/').at(-1);

const countFunctions = (sysfs: FileTree, device: string, assignable: ReadonlySet<string>): Record<State, number> => {
  const folder = `${pciDevices}/${device}`;
  const counts: Record<State, number> = { off: 0, host: 0, assignable: 0, assigned: 0 };
  for (const name of sysfs.listIfAny(folder)) {
    if (!/^virtfn\d+$/.test(name)) continue;
    const address = baseName(sysfs.linkIfAny(`${folder}/${name}`)) ?? '';
    const driver = baseName(sysfs.linkIfAny(`${folder}/${name}/driver`));
    if (assignable.has(address)) counts.assignable += 1;
    else counts[driver === 'pciback' ? 'assigned' : 'host'] += 1;
  }
  const total = parsedIfAny(sysfs, `${folder}/sriov_totalvfs`, parseInteger) ?? 0;
  counts.off = Math.max(0, total - counts.host - counts.assignable - counts.assigned);
  return counts;
};

/** Not part of the answer, but the reason for no devices (libxl_pci.c, libxl_device_pci_assignable_list). */
const withoutPciback = /pciback driver not loaded/;

/** Devices that bypass netback if assigned to guests. */
export const passthrough = defineCollector({
  name: 'passthrough',
  help: 'SR-IOV virtual functions and PCI devices that can be given to guests, from sysfs and xl.',
  enabledByDefault: true,
  maxSeries: 1000,
  options: {},
  metrics: Object.values(metrics),
  create: ({ host, toolstack }) => {
    const { xl } = toolstack;
    if (xl instanceof Unavailable) return absentCollector(xl);
    const devices = toolstack.reading('xl pci-assignable-list', toolstack.scheduled, async (doubt) => {
      const assignable = await xl.read(['pci-assignable-list'], parsePciAssignableList, doubt, [withoutPciback]);
      const isAssignable = new Set(assignable);
      const skips: Skips = { skip: (error) => doubt(error.message) };
      const functions = physicalFunctions(host.sysfs).flatMap((device) => {
        const counts = readItem(skips, () => countFunctions(host.sysfs, device, isAssignable));
        return counts ? [[device, counts] as const] : [];
      });
      return { assignable, functions };
    });
    return {
      availability: () => true,
      background: [devices],
      collect: ({ out }) => {
        const reading = devices.fresh;
        if (reading === undefined) return;
        out.gauge(metrics.assignable, noLabels, reading.assignable.length);
        for (const [device, counts] of reading.functions) {
          for (const [state, count] of Object.entries(counts)) {
            out.gauge(metrics.functions, out.labels(metrics.functions.labels, device, state), count);
          }
        }
      },
    };
  },
});
