/** What an event channel is for. */
export type EventSource =
  'netfront' | 'netback' | 'blkfront' | 'blkback' | 'timer' | 'ipi' | 'console' | 'xenbus' | 'other';

/** The queue of a guest's network device that an event channel serves. */
export interface NetfrontQueue {
  readonly vif: string;
  readonly queue: string;
  readonly ring: 'rx' | 'tx' | 'shared';
}

// Names that drivers give to their interrupts: netback/interface.c, xen-netfront.c, xen-blkfront.c, xen-blkback/xenbus.c, hvc_xen.c,
// xenbus_comms.c, x86/xen/time.c. Kernels before 4.x name netfront's queues after the network device, newer ones after the vif.
const netbackName = /^(?:vif\d+\.\d+(?:-q\d+(?:-[rt]x)?)?|xen-netback-ctrl)$/;
const netfrontName = /^(?:vif(\d+)|([^\s]+))-q(\d+)-(rx|tx)$/;
const otherNames: ReadonlyMap<string, EventSource> = new Map([
  ['blkif', 'blkfront'],
  ['blkif-backend', 'blkback'],
  ['blkback-backend', 'blkback'],
  ['hvc_console', 'console'],
  ['xenbus', 'xenbus'],
]);

/** What a row of /proc/interrupts is for, by its kind and name. `vifOf` gives the vif of a network device that netfront drives. */
export const eventSource = (kind: string, action: string, vifOf: ReadonlyMap<string, string>): EventSource => {
  if (kind === 'ipi') return 'ipi';
  if (kind === 'virq' && /^timer\d+$/.test(action)) return 'timer';
  if (netbackName.test(action)) return 'netback';
  if (netfrontQueue(action, vifOf)) return 'netfront';
  return otherNames.get(action) ?? 'other';
};

/** The queue that a name of netfront's stands for; undefined for any other name. */
export const netfrontQueue = (action: string, vifOf: ReadonlyMap<string, string>): NetfrontQueue | undefined => {
  const shared = vifOf.get(action);
  if (shared !== undefined) return { vif: shared, queue: '0', ring: 'shared' };
  const [, index, device = '', queue, ring] = netfrontName.exec(action) ?? [];
  const vif = index ?? vifOf.get(device);
  if (vif === undefined || queue === undefined) return undefined;
  return { vif, queue, ring: ring as 'rx' | 'tx' };
};
