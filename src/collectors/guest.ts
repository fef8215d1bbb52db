import type { FileTree } from '../host/file-tree.ts';
import type { Host } from '../host/host.ts';
import { gauge } from '../metrics/descriptor.ts';
import { defineCollector } from './collector.ts';
import { readItem, type Skips } from '../sources/parsed.ts';
import { isControlDomain, needsXen, xenFeatures } from '../sources/xen.ts';

const info = gauge('xen_guest_info', {
  meaning:
    'Constant 1. How this kernel runs: uuid of the domain (all zero in Dom0, empty without Xen), type pv, pvh or hvm, role dom0, guest or baremetal. Joins with xen_domain_info of the host by uuid.',
  labels: ['uuid', 'type', 'role'],
  source: '/sys/hypervisor, /proc/xen/capabilities',
});

type Role = 'dom0' | 'guest' | 'baremetal';

interface Identity {
  readonly uuid: string;
  readonly type: string;
  readonly role: Role;
}

const notOnXen: Identity = { uuid: '', type: '', role: 'baremetal' };

// guest_type exists since Linux 4.13. Older kernels do not distinguish PVH from HVM.
const typeByFeatures = (sysfs: FileTree): string => (xenFeatures(sysfs)?.hvmCallbackVector ? 'hvm' : 'pv');

/**
 * Reads this kernel's identity on Xen. An unreadable type is skipped and empty. Throws FileError or ParseError, because
 * without uuid or role no join is possible.
 */
const identify = (host: Host, skips: Skips): Identity => {
  const { sysfs } = host;
  const hypervisor = (name: string): string | undefined => sysfs.textIfAny(`hypervisor/${name}`)?.trim();
  const type = readItem(skips, () => hypervisor('guest_type')?.toLowerCase() ?? typeByFeatures(sysfs)) ?? '';
  return { uuid: hypervisor('uuid') ?? '', type, role: isControlDomain(host, skips) ? 'dom0' : 'guest' };
};

/** Identity of this machine: the label that joins a guest's own series with its host's. */
export const guest = defineCollector({
  name: 'guest',
  help: 'What this kernel runs as (uuid, type and role of the domain), from /sys/hypervisor and /proc/xen.',
  enabledByDefault: true,
  maxSeries: 1,
  options: {},
  metrics: [info],
  create: ({ host: { sysfs } }) => {
    const onXen = needsXen(sysfs);
    return {
      availability: () => true,
      collect: ({ host, out }) => {
        const { uuid, type, role } = onXen === true ? identify(host, out) : notOnXen;
        out.gauge(info, out.labels(info.labels, uuid, type, role), 1);
      },
    };
  },
});
