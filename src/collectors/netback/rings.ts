import { parseIoRing, ringDistance, type IoRingFile } from '../../formats/io-ring.ts';
import { isForbidden, isMissing, type FileTree } from '../../host/file-tree.ts';
import { vifDevices, type VifDevice } from '../../sources/backend-devices.ts';
import { parsedCachedIfAny, readItem, type Skips } from '../../sources/parsed.ts';

const folder = 'xen-netback';

/** A queue of a vif. The names tell it and its rings from those of all other vifs. */
export interface Queue {
  readonly queue: string;
  readonly name: string;
  readonly ringNames: { readonly tx: string; readonly rx: string };
  /** The file in debugfs that shows it; undefined where we may not even list those. */
  readonly file: string | undefined;
}

/** A vif that has a network device, with its queues: none while frontend and backend are not connected. */
export interface VifQueues extends VifDevice {
  readonly netDevice: string;
  readonly queues: readonly Queue[];
}

const queueOf = (vif: string, queue: string, file: string | undefined): Queue => {
  const name = `${vif}/${queue}`;
  return { queue, name, ringNames: { tx: `${name} tx`, rx: `${name} rx` }, file };
};

const queuesOfDebugfs = (debugfs: FileTree, vif: string, netDevice: string): Queue[] =>
  debugfs.listIfAny(`${folder}/${netDevice}`).flatMap((name) => {
    const [, queue] = /^io_ring_q(\d+)$/.exec(name) ?? [];
    return queue === undefined ? [] : [queueOf(vif, queue, `${folder}/${netDevice}/${name}`)];
  });

const queuesOfSysfs = (sysfs: FileTree, vif: string, netDevice: string): Queue[] =>
  sysfs.listIfAny(`class/net/${netDevice}/queues`).flatMap((name) => {
    const [, queue] = /^tx-(\d+)$/.exec(name) ?? [];
    return queue === undefined ? [] : [queueOf(vif, queue, undefined)];
  });

const hasDebugfs = (debugfs: FileTree): boolean => {
  try {
    return debugfs.unsorted(folder).length > 0;
  } catch (error) {
    if (isMissing(error) || isForbidden(error)) return false;
    throw error;
  }
};

/**
 * The vifs of this machine and their queues: those of debugfs, because there a queue is gone as soon as it is; else
 * those of sysfs. A vif whose queues cannot be listed is skipped. Throws FileError.
 */
export const vifQueues = (sysfs: FileTree, debugfs: FileTree, skips: Skips): VifQueues[] => {
  const isDebugfs = hasDebugfs(debugfs);
  return vifDevices(sysfs, skips).flatMap((device) => {
    const { name, netDevice } = device;
    if (netDevice === undefined) return [];
    const list = () => (isDebugfs ? queuesOfDebugfs(debugfs, name, netDevice) : queuesOfSysfs(sysfs, name, netDevice));
    const queues = readItem(skips, list);
    return queues === undefined ? [] : [{ ...device, netDevice, queues }];
  });
};

/** The state of a queue, or undefined where it went away. Throws FileError or ParseError. */
export const readQueue = (debugfs: FileTree, { file }: Queue): IoRingFile | undefined =>
  file === undefined ? undefined : parsedCachedIfAny(debugfs, file, parseIoRing);

/** In words why no ring can be read; undefined where they can. */
export const missingRings = (debugfs: FileTree, vifs: readonly VifQueues[], sysfs: FileTree): string | undefined => {
  try {
    const names = debugfs.unsorted(folder);
    const [first] = vifs.flatMap(({ queues }) => queues);
    if (names.length > 0 && first !== undefined) readQueue(debugfs, first);
    return undefined;
  } catch (error) {
    if (isForbidden(error)) return `${(error as Error).message}${lockdownOf(sysfs)}`;
    return isMissing(error) ? `${debugfs.path(folder)} does not exist (is debugfs mounted?)` : undefined;
  }
};

/**
 * Under lockdown debugfs refuses even root what has mode 0600 (security(7), fs/debugfs/file.c: debugfs_locked_down).
 */
const lockdownOf = (sysfs: FileTree): string => {
  try {
    const [, mode] = /\[(\w+)\]/.exec(sysfs.textIfAny('kernel/security/lockdown') ?? '') ?? [];
    return mode === undefined || mode === 'none' ? '' : ` (kernel lockdown is "${mode}")`;
  } catch {
    return '';
  }
};

/** How full the rings of a queue are; undefined is what cannot be said of it. */
export interface QueueLevels {
  readonly slots: number | undefined;
  readonly txInFlight: number | undefined;
  readonly txUnconsumed: number | undefined;
  readonly rxFree: number | undefined;
  /** Rings whose index is nonsense. */
  readonly invalidRings: number;
}

export const levelsOf = ({ transmit, receive }: IoRingFile): QueueLevels => {
  const txInFlight = transmit && ringDistance(transmit.requestProduced, transmit.responseProduced, transmit.slots);
  const txUnconsumed = transmit && ringDistance(transmit.requestProduced, transmit.requestConsumed, transmit.slots);
  const rxFree = receive && ringDistance(receive.requestProduced, receive.requestConsumed, receive.slots);
  const isTxInvalid = transmit !== undefined && (txInFlight === undefined || txUnconsumed === undefined);
  const isRxInvalid = receive !== undefined && rxFree === undefined;
  return {
    slots: transmit?.slots ?? receive?.slots,
    txInFlight: isTxInvalid ? undefined : txInFlight,
    txUnconsumed: isTxInvalid ? undefined : txUnconsumed,
    rxFree,
    invalidRings: Number(isTxInvalid) + Number(isRxInvalid),
  };
};
