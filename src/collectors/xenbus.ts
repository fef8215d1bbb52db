import { Unavailable, type Availability } from '../host/unavailable.ts';
import { parseInteger } from '../formats/integer.ts';
import type { FileTree } from '../host/file-tree.ts';
import { growthOfU32 } from '../metrics/accumulator.ts';
import { counter, gauge } from '../metrics/descriptor.ts';
import { LabelSets } from '../metrics/labels.ts';
import { SummedCounter } from '../metrics/summed-counter.ts';
import { backendDevices, needsBackends } from '../sources/backend-devices.ts';
import { defineCollector } from './collector.ts';
import { KernelHz } from '../sources/kernel-hz.ts';
import { parsedCachedIfAny } from '../sources/parsed.ts';

// Those whose drivers are in the kernel. The backends of consoles and keyboards are programs, which count nothing.
const classes = ['vif', 'vbd'];
const none = 'no network or block device';
const deviceLabels = ['domain', 'class', 'device'] as const;
const source = 'Source: /sys/bus/xen-backend/devices/DEVICE/xenbus';
const since = 'Linux 5.12 and later; not on XCP-ng 8';

const metrics = {
  events: counter(
    'xen_backend_events_total',
    `Events that the guest sent to the backend of the device and that were handled; those that arrive while one is pending count once. device is its index in the guest's configuration: 0 for the first vif, 51712 for xvda. ${source}/events (${since}).`,
    deviceLabels,
  ),
  spurious: counter(
    'xen_backend_spurious_events_total',
    `Events with which the backend found nothing to do. Several behind one another make it wait, see xen_backend_eoi_delay_seconds_total. ${source}/spurious_events (${since}).`,
    deviceLabels,
  ),
  eoiDelay: counter(
    'xen_backend_eoi_delay_seconds_total',
    `Time that the backend left events of the guest unanswered because earlier ones were spurious, in seconds: the queue stands still meanwhile. Absent until the kernel's HZ is known. ${source}/jiffies_eoi_delayed (${since}); HZ by two readings of /proc/timer_list.`,
    deviceLabels,
  ),
  channels: gauge(
    'xen_backend_event_channels',
    `Event channels between guest and backend: of a vif two for each queue. ${source}/event_channels (${since}).`,
    deviceLabels,
  ),
};

// atomic_t printed by %d (XENBUS_SHOW_STAT in drivers/xen/xenbus/xenbus_probe.c): a u32 that is shown negative from 2^31 on.
const parseAtomic = (text: string): number => parseInteger(text) >>> 0;

/** Event channels as the backends see them: how often guests call, how often for nothing. */
export const xenbus = defineCollector({
  name: 'xenbus',
  help: "Events and spurious events of every guest's network and block devices, from /sys/bus/xen-backend.",
  enabledByDefault: true,
  maxSeries: 20_000,
  options: {},
  metrics: Object.values(metrics),
  create: ({ host, toolstack }) => {
    const labelSets = new LabelSets(deviceLabels);
    const hz = new KernelHz();
    const events = new SummedCounter(metrics.events, growthOfU32);
    const spurious = new SummedCounter(metrics.spurious, growthOfU32);
    const jiffies = new SummedCounter(metrics.eoiDelay, growthOfU32);

    const read = (sysfs: FileTree, folder: string, file: string): number | undefined =>
      parsedCachedIfAny(sysfs, `${folder}/xenbus/${file}`, parseAtomic);
    /** A backend has the files once its driver has taken it on, since Linux 5.12. */
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
        hz.update(procfs);
        for (const { class: deviceClass, domid, device, name, folder } of backendDevices(sysfs)) {
          if (!classes.includes(deviceClass)) continue;
          yield;
          const owner = toolstack.directory.ownerOf(domid);
          const eventCount = owner && read(sysfs, folder, 'events');
          if (owner === undefined || eventCount === undefined) continue;
          const labels = labelSets.get(owner.label, deviceClass, device);
          events.feed(labels, name, eventCount);
          spurious.feed(labels, name, read(sysfs, folder, 'spurious_events'));
          jiffies.feed(labels, name, read(sysfs, folder, 'jiffies_eoi_delayed'));
          if (!owner.isStub) out.add(metrics.channels, labels, read(sysfs, folder, 'event_channels'));
        }
        events.flush(out);
        spurious.flush(out);
        jiffies.flush(hz.value === undefined ? undefined : out, (ticks) => ticks / (hz.value ?? 1));
        labelSets.sweep();
      },
    };
  },
});
