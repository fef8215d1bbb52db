import { Unavailable, type Availability } from '../host/unavailable.ts';
import { parseFeatures, type XenFeatures } from '../formats/hypervisor.ts';
import type { FileTree } from '../host/file-tree.ts';
import type { Host } from '../host/host.ts';
import { parsedIfAny, readItem, uncounted, type Skips } from './parsed.ts';

/**
 * True if this kernel runs on Xen, as Dom0 or guest, else the reason. Constant while the kernel runs, so check once.
 */
export const needsXen = (sysfs: FileTree): Availability => {
  const file = 'hypervisor/type';
  try {
    if (sysfs.textIfAny(file)?.trim() === 'xen') return true;
    return new Unavailable(`this kernel does not run on Xen (${sysfs.path(file)} does not contain "xen")`);
  } catch (error) {
    return Unavailable.because(error);
  }
};

/** Features that Xen offers this domain. Undefined if they are not published. Throws FileError or ParseError. */
export const xenFeatures = (sysfs: FileTree): XenFeatures | undefined =>
  parsedIfAny(sysfs, 'hypervisor/properties/features', parseFeatures);

/**
 * Whether this is Dom0, according to xenfs if it is mounted, else to the features that Xen gives it. One of both
 * suffices; an unreadable one is skipped. Throws FileError or ParseError if neither can be read.
 */
export const isControlDomain = ({ procfs, sysfs }: Pick<Host, 'procfs' | 'sysfs'>, skips: Skips): boolean => {
  let failure: Error | undefined;
  const reported: Skips = {
    skip: (error) => {
      failure ??= error;
      skips.skip(error);
    },
  };
  const capabilities = readItem(reported, () => procfs.textIfAny('xen/capabilities'));
  if (capabilities?.includes('control_d')) return true;
  const features = readItem(reported, () => xenFeatures(sysfs));
  if (features === undefined && capabilities === undefined && failure !== undefined) throw failure;
  return features?.dom0 === true;
};

/** True in Dom0, else the reason. */
export const isDom0 = (host: Pick<Host, 'procfs' | 'sysfs'>): Availability => {
  try {
    return isControlDomain(host, uncounted) || new Unavailable('this is not Dom0');
  } catch (error) {
    return Unavailable.because(error);
  }
};

/** A network device whose frontend is netfront. */
export interface NetfrontDevice {
  /** Index of the vif in the guest's configuration, as in `vif-0`. */
  readonly vif: string;
  /** Name of the network device, such as `eth0`. */
  readonly device: string;
}

/** Netfront's current network devices. Skips a device whose name cannot be read. Throws FileError. */
export const netfrontDevices = (sysfs: FileTree, skips: Skips): NetfrontDevice[] =>
  sysfs
    .listIfAny('bus/xen/devices')
    .flatMap((name) => /^vif-(\d+)$/.exec(name)?.[1] ?? [])
    .flatMap((vif) => {
      const names = readItem(skips, () => sysfs.listIfAny(`bus/xen/devices/vif-${vif}/net`)) ?? [];
      return names.map((device) => ({ vif, device }));
    });
