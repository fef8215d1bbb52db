import { Unavailable, type Availability } from '../host/unavailable.ts';
import { unlessMissing, type FileTree } from '../host/file-tree.ts';
import { readItem, type Skips } from './parsed.ts';

const folder = 'bus/xen-backend/devices';

/** A device that this machine provides to another domain. */
export interface BackendDevice {
  /** `vif`, `vbd`, `console`, ... */
  readonly class: string;
  readonly domid: number;
  /** Its index in the guest's configuration: 0 for the first vif, 51712 for xvda. */
  readonly device: string;
  /** Name of its folder; unique on this machine while the domain lives. */
  readonly name: string;
  /** The folder, below sysfs. */
  readonly folder: string;
}

/** A vif from the backend's side. */
export interface VifDevice extends BackendDevice {
  /** Its network device: vif1.0, or the `vifname` of the guest's configuration. Undefined while it has none. */
  readonly netDevice: string | undefined;
}

/**
 * Sorts by class, domid and index. Much faster than a numeric collator, and this runs several times per scrape for
 * hundreds of devices.
 */
const inOrder = (a: BackendDevice, b: BackendDevice): number =>
  (a.class < b.class ? -1 : Number(a.class > b.class)) || a.domid - b.domid || Number(a.device) - Number(b.device);

// Most machines have none, and every scrape checks.
const namesOf = (sysfs: FileTree): string[] =>
  sysfs.exists(folder) ? (unlessMissing(() => sysfs.unsorted(folder)) ?? []) : [];

/** The devices that this machine provides. They come and go with their domains. Throws FileError. */
export const backendDevices = (sysfs: FileTree): BackendDevice[] =>
  namesOf(sysfs)
    .flatMap((name) => {
      const [, deviceClass, domid, device] = /^(.+)-(\d+)-(\d+)$/.exec(name) ?? [];
      if (deviceClass === undefined || domid === undefined || device === undefined) return [];
      return [{ class: deviceClass, domid: Number(domid), device, name, folder: `${folder}/${name}` }];
    })
    .sort(inOrder);

/**
 * The vifs among them. Excludes the device models' network devices `vifN.M-emu`, which have no backend and disappear
 * when the guest's own driver takes over. Skips a vif whose network device cannot be determined. Throws FileError.
 */
export const vifDevices = (sysfs: FileTree, skips: Skips): VifDevice[] => {
  const devices = backendDevices(sysfs).filter((device) => device.class === 'vif');
  if (devices.length === 0) return [];
  const networkDevices = new Set(sysfs.unsorted('class/net'));
  return devices.map((device) => {
    // Only a vif renamed by `vifname` needs a search.
    const usualName = `vif${device.domid}.${device.device}`;
    const netDevice = networkDevices.has(usualName)
      ? usualName
      : readItem(skips, () => sysfs.listIfAny(`${device.folder}/net`))?.[0];
    return { ...device, netDevice };
  });
};

/** True if this machine provides vifs, as Dom0 or as a driver domain, else the reason. Never throws. */
export const needsVifs = (sysfs: FileTree): Availability => needsBackends(sysfs, ['vif'], 'no vif');

/** True if this machine provides devices of these classes, else the reason. Never throws. */
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
