import type { FileTree } from '../host/file-tree.ts';

/** For `applies`: true where this kernel runs on Xen, as Dom0 or guest, else the reason. */
export const needsXen = (sysfs: FileTree): true | string => {
  const type = sysfs.exists('hypervisor/type') ? sysfs.text('hypervisor/type').trim() : '';
  return type === 'xen' || `this kernel does not run on Xen (${sysfs.path('hypervisor/type')} does not say "xen")`;
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
