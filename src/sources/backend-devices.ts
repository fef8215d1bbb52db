import { Unavailable, type Availability } from '../host/unavailable.ts';
import { unlessMissing, type FileTree } from '../host/file-tree.ts';
import { readItem, type Skips } from './parsed.ts';

const folder = 'bus/xen-backend/devices';

/** A device that this machine serves to another domain. */
export interface BackendDevice {
  /** `vif`, `vbd`, `console`, ... */
  readonly class: string;
  readonly domid: number;
  /** Its index in the guest's configuration: 0 for the first vif, 51712 for xvda. */
  readonly device: string;
  /** As its folder is called; nothing else on this machine is, while the domain lives. */
  readonly name: string;
  /** The folder, below sysfs. */
  readonly folder: string;
}

/** A vif as the backend sees it. */
export interface VifDevice extends BackendDevice {
  /** Its network device: vif1.0, or what `vifname` of the guest's configuration says. Undefined while it has none. */
  readonly netDevice: string | undefined;
}

/** By class, domain and index. Several times as fast as the order of numbers in names, for hundreds of devices several times a scrape. */
const inOrder = (a: BackendDevice, b: BackendDevice): number =>
  (a.class < b.class ? -1 : Number(a.class > b.class)) || a.domid - b.domid || Number(a.device) - Number(b.device);

// Most machines have none, and are asked at each scrape.
const namesOf = (sysfs: FileTree): string[] =>
  sysfs.exists(folder) ? (unlessMissing(() => sysfs.unsorted(folder)) ?? []) : [];

/** The devices that this machine serves, which come and go with their domains. Throws FileError. */
export const backendDevices = (sysfs: FileTree): BackendDevice[] =>
  namesOf(sysfs)
    .flatMap((name) => {
      const [, deviceClass, domid, device] = /^(.+)-(\d+)-(\d+)$/.exec(name) ?? [];
      if (deviceClass === undefined || domid === undefined || device === undefined) return [];
      return [{ class: deviceClass, domid: Number(domid), device, name, folder: `${folder}/${name}` }];
    })
    .sort(inOrder);

/**
 * The vifs among them. The network devices `vifN.M-emu` of device models are none: they hang from no backend, and go away when the guest's own
 * driver takes over. One whose network device cannot be found out is skipped. Throws FileError.
 */
export const vifDevices = (sysfs: FileTree, skips: Skips): VifDevice[] => {
  const devices = backendDevices(sysfs).filter((device) => device.class === 'vif');
  if (devices.length === 0) return [];
  const networkDevices = new Set(sysfs.unsorted('class/net'));
  return devices.map((device) => {
    // Only one that `vifname` renamed must be looked for.
    const usualName = `vif${device.domid}.${device.device}`;
    const netDevice = networkDevices.has(usualName)
      ? usualName
      : readItem(skips, () => sysfs.listIfAny(`${device.folder}/net`))?.[0];
    return { ...device, netDevice };
  });
};

/** True where this machine serves vifs, as Dom0 or as a driver domain, else the reason. Never throws. */
export const needsVifs = (sysfs: FileTree): Availability => needsBackends(sysfs, ['vif'], 'no vif');

/** True where this machine serves devices of these classes, else the reason. Never throws. */
export const needsBackends = (sysfs: FileTree, classes: readonly string[], none: string): Availability => {
  try {
    const names = namesOf(sysfs);
    return (
      names.some((name) => classes.some((each) => name.startsWith(`${each}-`))) ||
      new Unavailable(`${none} in ${sysfs.path(folder)}`)
    );
  } catch (error) {
    return Unavailable.because(error);
  }
};
