import { parseCounterFile } from '../formats/integer.ts';
import { bounds, type Bounds } from '../metrics/bounds.ts';
import { counter } from '../metrics/descriptor.ts';
import { backendDevices, needsBackends } from '../sources/backend-devices.ts';
import { defineCollector } from './collector.ts';
import { parsedCachedIfAny, readItem } from '../sources/parsed.ts';

const vbdLabels = ['domain', 'device'] as const;
const sectorsPerByte = 1 / 512;

const blkback = (file: string, meaning: string, kind: Bounds) => ({
  meaning: `${meaning} device is its number in the guest's configuration: 51712 is xvda, 51728 xvdb.`,
  labels: vbdLabels,
  source: `/sys/bus/xen-backend/devices/DEVICE/statistics/${file}`,
  versions: 'blkback, checked with Linux 6.1',
  notes: 'block devices that a device model serves have none',
  wraps: 'u64' as const,
  bounds: kind,
});
const { requests, sectors } = bounds;

/** The counters and their files below the device's statistics. */
const metrics = [
  {
    file: 'rd_req',
    metric: counter('xen_vbd_read_requests_total', blkback('rd_req', 'Reads by the guest.', requests)),
  },
  {
    file: 'wr_req',
    metric: counter('xen_vbd_write_requests_total', blkback('wr_req', 'Writes by the guest.', requests)),
  },
  {
    file: 'f_req',
    metric: counter('xen_vbd_flush_requests_total', blkback('f_req', 'Flushes by the guest.', requests)),
  },
  {
    file: 'ds_req',
    metric: counter('xen_vbd_discard_requests_total', blkback('ds_req', 'Discards by the guest.', requests)),
  },
  {
    file: 'rd_sect',
    unitsPer: sectorsPerByte,
    metric: counter('xen_vbd_read_bytes_total', blkback('rd_sect', 'Bytes that the guest read.', sectors)),
  },
  {
    file: 'wr_sect',
    unitsPer: sectorsPerByte,
    metric: counter('xen_vbd_written_bytes_total', blkback('wr_sect', 'Bytes that the guest wrote.', sectors)),
  },
  {
    file: 'oo_req',
    metric: counter(
      'xen_vbd_out_of_requests_total',
      blkback('oo_req', 'Times that a request of the guest had to wait because the backend had no free one.', requests),
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
    return {
      availability: () => needsBackends(host.sysfs, ['vbd'], 'no block device'),
      sharedTasks: toolstack.naming,
      *collect({ host: { sysfs }, out }) {
        for (const { class: deviceClass, domid, device, name, folder } of backendDevices(sysfs)) {
          if (deviceClass !== 'vbd') continue;
          yield;
          const owner = toolstack.directory.ownerOf(domid);
          if (owner === undefined) continue;
          const labels = out.labels(vbdLabels, owner.label, device);
          for (const { file, unitsPer = 1, metric } of metrics) {
            const reads = readItem(out, () =>
              parsedCachedIfAny(sysfs, `${folder}/statistics/${file}`, parseCounterFile),
            );
            out.counter(metric, labels, { source: name, reads, unitsPer });
          }
        }
      },
    };
  },
});
