import { parseInteger } from '../formats/integer.ts';
import { growthOfU64 } from '../metrics/accumulator.ts';
import { counter, type Descriptor } from '../metrics/descriptor.ts';
import { LabelSets } from '../metrics/labels.ts';
import { SummedCounter } from '../metrics/summed-counter.ts';
import { backendDevices, needsBackends } from '../sources/backend-devices.ts';
import { defineCollector } from './collector.ts';
import { parsedCachedIfAny } from '../sources/parsed.ts';

const vbdLabels = ['domain', 'device'] as const;
const bytesPerSector = 512;

const describe = (name: string, file: string, help: string): Descriptor<(typeof vbdLabels)[number]> =>
  counter(
    name,
    `${help} device is its number in the guest's configuration: 51712 is xvda, 51728 xvdb. Source: /sys/bus/xen-backend/devices/DEVICE/statistics/${file} (blkback, checked with Linux 6.1; block devices that a device model serves have none).`,
    vbdLabels,
  );

const metrics: readonly { file: string; scale: number; metric: Descriptor<(typeof vbdLabels)[number]> }[] = [
  { file: 'rd_req', scale: 1, metric: describe('xen_vbd_read_requests_total', 'rd_req', 'Reads by the guest.') },
  { file: 'wr_req', scale: 1, metric: describe('xen_vbd_write_requests_total', 'wr_req', 'Writes by the guest.') },
  { file: 'f_req', scale: 1, metric: describe('xen_vbd_flush_requests_total', 'f_req', 'Flushes by the guest.') },
  { file: 'ds_req', scale: 1, metric: describe('xen_vbd_discard_requests_total', 'ds_req', 'Discards by the guest.') },
  {
    file: 'rd_sect',
    scale: bytesPerSector,
    metric: describe('xen_vbd_read_bytes_total', 'rd_sect', 'Bytes that the guest read.'),
  },
  {
    file: 'wr_sect',
    scale: bytesPerSector,
    metric: describe('xen_vbd_written_bytes_total', 'wr_sect', 'Bytes that the guest wrote.'),
  },
  {
    file: 'oo_req',
    scale: 1,
    metric: describe(
      'xen_vbd_out_of_requests_total',
      'oo_req',
      'Times that a request of the guest had to wait because the backend had no free one.',
    ),
  },
];

/** Disk work that competes with the network for Dom0's CPUs and grants. */
export const vbd = defineCollector({
  name: 'vbd',
  help: "Requests and bytes of every guest's block devices, from /sys/bus/xen-backend.",
  enabledByDefault: true,
  maxSeries: 20_000,
  options: {},
  metrics: metrics.map(({ metric }) => metric),
  create: ({ host, toolstack }) => {
    const labelSets = new LabelSets(vbdLabels);
    const counters = metrics.map(({ file, scale, metric }) => ({
      file,
      scale,
      counter: new SummedCounter(metric, growthOfU64),
    }));
    return {
      availability: () => needsBackends(host.sysfs, ['vbd'], 'no block device'),
      sharedTasks: toolstack.naming,
      *collect({ host: { sysfs }, out }) {
        for (const { class: deviceClass, domid, device, name, folder } of backendDevices(sysfs)) {
          if (deviceClass !== 'vbd') continue;
          yield;
          const owner = toolstack.directory.ownerOf(domid);
          if (owner === undefined) continue;
          const labels = labelSets.get(owner.label, device);
          for (const { file, counter } of counters) {
            counter.feed(labels, name, parsedCachedIfAny(sysfs, `${folder}/statistics/${file}`, parseInteger));
          }
        }
        for (const { counter, scale } of counters) counter.flush(out, (value) => value * scale);
        labelSets.sweep();
      },
    };
  },
});
