import { Unavailable, type Availability } from '../host/unavailable.ts';
import { parseFeatures } from '../formats/hypervisor.ts';
import type { FileTree } from '../host/file-tree.ts';
import type { Host } from '../host/host.ts';
import { parsedIfAny } from './parsed.ts';

/**
 * True where this kernel runs on Xen, as Dom0 or guest, else the reason. To be asked once: a kernel does not change this while it
 * lives.
 */
export const needsXen = (sysfs: FileTree): Availability => {
  const file = 'hypervisor/type';
  try {
    if (sysfs.textIfAny(file)?.trim() === 'xen') return true;
    return new Unavailable(`this kernel does not run on Xen (${sysfs.path(file)} does not say "xen")`);
  } catch (error) {
    return Unavailable.because(error);
  }
};

/** Whether this is Dom0: xenfs says so where it is mounted, else the features that Xen gives it. Throws FileError or ParseError. */
export const isControlDomain = ({ procfs, sysfs }: Pick<Host, 'procfs' | 'sysfs'>): boolean =>
  procfs.textIfAny('xen/capabilities')?.includes('control_d') === true ||
  parsedIfAny(sysfs, 'hypervisor/properties/features', parseFeatures)?.dom0 === true;

/** True in Dom0, else the reason. */
export const isDom0 = (host: Pick<Host, 'procfs' | 'sysfs'>): Availability => {
  try {
    return isControlDomain(host) || new Unavailable('this is not Dom0');
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

/** The network devices that netfront drives, which come and go. Throws FileError. */
export const netfrontDevices = (sysfs: FileTree): NetfrontDevice[] =>
  sysfs
    .listIfAny('bus/xen/devices')
    .flatMap((name) => /^vif-(\d+)$/.exec(name)?.[1] ?? [])
    .flatMap((vif) => sysfs.listIfAny(`bus/xen/devices/vif-${vif}/net`).map((device) => ({ vif, device })));
