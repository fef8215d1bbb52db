import type { FileTree } from '../host/file-tree.ts';
import { vifDevices, type VifDevice } from './backend-devices.ts';
import type { Skips } from './parsed.ts';
import { netfrontDevices } from './xen.ts';

/** Path below procfs. */
export const interruptsFile = 'interrupts';
// 256 CPUs and 2 000 rows are 6 MB.
export const maxInterruptsBytes = 32 << 20;

/** The purpose of an event channel. */
export type EventSource =
  'netfront' | 'netback' | 'blkfront' | 'blkback' | 'timer' | 'ipi' | 'console' | 'xenbus' | 'other';

/** The queue of a guest's network device that an event channel belongs to. */
export interface NetfrontQueue {
  readonly vif: string;
  readonly queue: string;
  readonly ring: 'rx' | 'tx' | 'shared';
}

/** The backend's queue of a guest's vif that an event channel belongs to. */
export interface NetbackQueue {
  readonly vif: VifDevice;
  readonly queue: string;
  readonly ring: 'rx' | 'tx' | 'shared';
}

/** The Xen network devices of this machine. */
export interface NetworkDevices {
  /** Vif index by the name of netfront's network device. */
  readonly frontends: ReadonlyMap<string, string>;
  readonly backends: ReadonlyMap<string, VifDevice>;
}

/** The current network devices. Throws FileError. */
export const networkDevices = (sysfs: FileTree, skips: Skips): NetworkDevices => ({
  frontends: new Map(netfrontDevices(sysfs, skips).map(({ vif, device }) => [device, vif])),
  backends: new Map(
    vifDevices(sysfs, skips).flatMap((vif) => (vif.netDevice === undefined ? [] : [[vif.netDevice, vif]])),
  ),
});

// Interrupt names by driver: netback/interface.c, xen-netfront.c, xen-blkfront.c, xen-blkback/xenbus.c, hvc_xen.c,
// xenbus_comms.c, x86/xen/time.c. Kernels before 4.x name netfront's queues after the network device, later ones after
// the vif.
const netbackName = /^(?:vif\d+\.\d+(?:-q\d+(?:-[rt]x)?)?|xen-netback-ctrl)$/;
const netfrontName = /^(?:vif(\d+)|([^\s]+))-q(\d+)-(rx|tx)$/;
const otherNames: ReadonlyMap<string, EventSource> = new Map([
  ['blkif', 'blkfront'],
  ['blkif-backend', 'blkback'],
  ['blkback-backend', 'blkback'],
  ['hvc_console', 'console'],
  ['xenbus', 'xenbus'],
]);

/** The purpose of a row of /proc/interrupts by its kind and name. */
export const eventSource = (kind: string, action: string, devices: NetworkDevices): EventSource => {
  if (kind === 'ipi') return 'ipi';
  if (kind === 'virq' && /^timer\d+$/.test(action)) return 'timer';
  if (netbackName.test(action) || netbackQueue(action, devices)) return 'netback';
  if (netfrontQueue(action, devices)) return 'netfront';
  return otherNames.get(action) ?? 'other';
};

/** The queue that a netfront name refers to; undefined for other names. */
export const netfrontQueue = (action: string, { frontends: vifOf }: NetworkDevices): NetfrontQueue | undefined => {
  const shared = vifOf.get(action);
  if (shared !== undefined) return { vif: shared, queue: '0', ring: 'shared' };
  const [, index, device = '', queue, ring] = netfrontName.exec(action) ?? [];
  const vif = index ?? vifOf.get(device);
  if (vif === undefined || queue === undefined) return undefined;
  return { vif, queue, ring: ring as 'rx' | 'tx' };
};

// A channel for both rings has no ring in its name. Before Linux 3.16 there are no queues either.
const netbackNames = [
  /^(?<device>.+)-q(?<queue>\d+)-(?<ring>rx|tx)$/,
  /^(?<device>.+)-q(?<queue>\d+)$/,
  /^(?<device>.+)-(?<ring>rx|tx)$/,
  /^(?<device>.+)$/,
];

/**
 * The backend's queue that a name refers to: `vif1.0-q0-tx`, or starting with the `vifname` of the guest's
 * configuration.
 */
export const netbackQueue = (action: string, { backends }: NetworkDevices): NetbackQueue | undefined => {
  for (const name of netbackNames) {
    const { device = '', queue = '0', ring = 'shared' } = name.exec(action)?.groups ?? {};
    const vif = backends.get(device);
    if (vif) return { vif, queue, ring: ring as NetbackQueue['ring'] };
  }
  return undefined;
};
