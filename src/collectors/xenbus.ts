import { bounds } from '../metrics/bounds.ts';
import { Unavailable, type Availability } from '../host/unavailable.ts';
import { parseInteger } from '../formats/integer.ts';
import type { FileTree } from '../host/file-tree.ts';
import { counter, gauge } from '../metrics/descriptor.ts';
import type { Output } from '../metrics/output.ts';
import { backendDevices, needsBackends } from '../sources/backend-devices.ts';
import { defineCollector } from './collector.ts';
import { KernelHz } from '../sources/kernel-hz.ts';
import { parsedCachedIfAny, readItem } from '../sources/parsed.ts';

// Device classes with backend drivers in the kernel. Console and keyboard backends are programs without counters.
const classes = ['vif', 'vbd'];
const none = 'no network or block device';
const deviceLabels = ['domain', 'class', 'device'] as const;
const source = '/sys/bus/xen-backend/devices/DEVICE/xenbus';
const since = 'Linux 5.12 and later, not on XCP-ng 8';

const metrics = {
  events: counter('xen_backend_events_total', {
    meaning:
      "Handled events that the guest sent to the backend of the device. Events that arrive while one is pending count once. device is its index in the guest's configuration: 0 for the first vif, 51712 for xvda.",
    labels: deviceLabels,
    source: `${source}/events`,
    versions: since,
    wraps: 'u32',
    bounds: bounds.events,
  }),
  spurious: counter('xen_backend_spurious_events_total', {
    meaning:
      'Events with which the backend found nothing to do. Several behind one another make it wait, see xen_backend_eoi_delay_seconds_total.',
    labels: deviceLabels,
    source: `${source}/spurious_events`,
    versions: since,
    wraps: 'u32',
    bounds: bounds.events,
  }),
  eoiDelay: counter('xen_backend_eoi_delay_seconds_total', {
    meaning:
      "Time that the backend left events of the guest unanswered because earlier ones were spurious, in seconds: the queue stands still meanwhile. Absent until the kernel's HZ is known.",
    labels: deviceLabels,
    source: `${source}/jiffies_eoi_delayed (${since}); HZ by two readings of /proc/timer_list`,
    wraps: 'u32',
    bounds: bounds.delayTicks,
  }),
  channels: gauge('xen_backend_event_channels', {
    meaning: 'Event channels between guest and backend: of a vif two for each queue.',
    labels: deviceLabels,
    source: `${source}/event_channels`,
    versions: since,
  }),
};

// atomic_t printed by %d (XENBUS_SHOW_STAT in drivers/xen/xenbus/xenbus_probe.c): a u32, shown negative from 2^31 on.
const parseAtomic = (text: string): number => parseInteger(text) >>> 0;

/** Event channels from the backend's side: events, and spurious events, of guests. */
export const xenbus = defineCollector({
  name: 'xenbus',
  help: "Events and spurious events of every guest's network and block devices, from /sys/bus/xen-backend.",
  enabledByDefault: true,
  maxSeries: 20_000,
  options: {},
  metrics: Object.values(metrics),
  create: ({ host, toolstack }) => {
    const hz = new KernelHz();

    const read = (sysfs: FileTree, folder: string, file: string, out: Output): number | undefined =>
      readItem(out, () => parsedCachedIfAny(sysfs, `${folder}/xenbus/${file}`, parseAtomic));
    /** A backend has the files once its driver is bound, since Linux 5.12. */
    const needsFiles = (): Availability => {
      const devices = backendDevices(host.sysfs).filter((device) => classes.includes(device.class));
      const [first] = devices;
      if (first === undefined) return needsBackends(host.sysfs, classes, none);
      const hasFiles = devices.some(({ folder }) => host.sysfs.exists(`${folder}/xenbus/events`));
      return hasFiles || new Unavailable(`no ${first.folder}/xenbus/events in ${host.sysfs.root}: ${since}`);
    };

    return {
      availability: () => {
        const needed = needsBackends(host.sysfs, classes, none);
        return needed === true ? needsFiles() : needed;
      },
      limitations: () => (hz.value === undefined ? hz.missing : undefined),
      sharedTasks: toolstack.naming,
      *collect({ host: { procfs, sysfs }, out }) {
        readItem(out, () => hz.update(procfs));
        for (const { class: deviceClass, domid, device, name, folder } of backendDevices(sysfs)) {
          if (!classes.includes(deviceClass)) continue;
          yield;
          const owner = toolstack.directory.ownerOf(domid);
          if (owner === undefined) continue;
          const labels = out.labels(deviceLabels, owner.label, deviceClass, device);
          if (!owner.isStub) out.gauge(metrics.channels, labels, read(sysfs, folder, 'event_channels', out));
          const counters = { source: name, device: name };
          out.counter(metrics.events, labels, { ...counters, reads: read(sysfs, folder, 'events', out) });
          out.counter(metrics.spurious, labels, { ...counters, reads: read(sysfs, folder, 'spurious_events', out) });
          const delay = read(sysfs, folder, 'jiffies_eoi_delayed', out);
          out.counter(metrics.eoiDelay, labels, { ...counters, reads: delay, unitsPer: hz.value ?? 'unknown' });
        }
      },
    };
  },
});
