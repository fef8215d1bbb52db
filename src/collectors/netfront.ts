import { bounds } from '../metrics/bounds.ts';
import { Unavailable } from '../host/unavailable.ts';
import { parseNetDev } from '../formats/proc-net-dev.ts';
import { counter, gauge } from '../metrics/descriptor.ts';
import { defineCollector } from './collector.ts';
import { missingRow, parsedRows, readItem } from '../sources/parsed.ts';
import { rootQdiscOf, rootQdiscs } from '../sources/qdiscs.ts';
import { needsXen, netfrontDevices } from '../sources/xen.ts';

const netDev = '/proc/net/dev';
const vifLabel = ['vif'] as const;

const metrics = {
  receivePackets: counter('xen_netfront_receive_packets_total', {
    meaning: 'Packets that the guest received.',
    labels: vifLabel,
    source: netDev,
    wraps: 'u64',
    bounds: bounds.packets,
  }),
  receiveBytes: counter('xen_netfront_receive_bytes_total', {
    meaning: 'Bytes that the guest received.',
    labels: vifLabel,
    source: netDev,
    wraps: 'u64',
    bounds: bounds.bytes,
  }),
  receiveDropped: counter('xen_netfront_receive_dropped_packets_total', {
    meaning: "Received packets that the guest's kernel dropped before TCP.",
    labels: vifLabel,
    source: netDev,
    wraps: 'u64',
    bounds: bounds.packets,
  }),
  receiveErrors: counter('xen_netfront_receive_errors_total', {
    meaning: 'Bad responses of the backend (xennet_get_responses in drivers/net/xen-netfront.c).',
    labels: vifLabel,
    source: netDev,
    wraps: 'u64',
    bounds: bounds.packets,
  }),
  transmitPackets: counter('xen_netfront_transmit_packets_total', {
    meaning: 'Packets that the guest sent.',
    labels: vifLabel,
    source: netDev,
    wraps: 'u64',
    bounds: bounds.packets,
  }),
  transmitBytes: counter('xen_netfront_transmit_bytes_total', {
    meaning: 'Bytes that the guest sent.',
    labels: vifLabel,
    source: netDev,
    wraps: 'u64',
    bounds: bounds.bytes,
  }),
  transmitDropped: counter('xen_netfront_transmit_dropped_packets_total', {
    meaning: 'Packets that netfront could not send: not connected, or too many fragments.',
    labels: vifLabel,
    source: netDev,
    wraps: 'u64',
    bounds: bounds.packets,
  }),
  transmitErrors: counter('xen_netfront_transmit_errors_total', {
    meaning: 'Transmit errors.',
    labels: vifLabel,
    source: netDev,
    wraps: 'u64',
    bounds: bounds.packets,
  }),
  queues: gauge('xen_netfront_queues', {
    meaning: 'Queues that frontend and backend agreed on.',
    labels: vifLabel,
    source: '/sys/class/net/DEVICE/queues',
  }),
  qdiscBacklog: gauge('xen_netfront_qdisc_backlog_packets', {
    meaning: 'Packets that wait in the root qdisc because the transmit ring is full.',
    labels: vifLabel,
    source: 'rtnetlink RTM_GETQDISC',
  }),
  qdiscDrops: counter('xen_netfront_qdisc_drops_total', {
    meaning: 'Packets that the root qdisc dropped, which no counter of the network device shows.',
    labels: vifLabel,
    source: 'rtnetlink RTM_GETQDISC',
    wraps: 'u32',
    bounds: bounds.queuePackets,
  }),
};

/** The guest's side of the split network driver. */
export const netfront = defineCollector({
  name: 'netfront',
  help: "Traffic, drops, queues and qdisc of the guest's Xen network devices, from /proc/net/dev, sysfs and rtnetlink.",
  enabledByDefault: true,
  maxSeries: 1000,
  options: {},
  metrics: Object.values(metrics),
  create: ({ host: { sysfs } }) => {
    const onXen = needsXen(sysfs);
    let limitations: string | undefined;
    return {
      availability: () => {
        if (onXen !== true) return onXen;
        let failure: Error | undefined;
        const count = netfrontDevices(sysfs, { skip: (error) => void (failure ??= error) }).length;
        if (count > 0 || failure !== undefined) return true;
        return new Unavailable(`no network device in ${sysfs.path('bus/xen/devices')}`);
      },
      limitations: () => limitations,
      collect: ({ host: { procfs, sysfs, netlink }, out }) => {
        const counters = parsedRows(procfs, 'net/dev', parseNetDev, out);
        const hasAllRows = out.skipped === undefined;
        const qdiscs = rootQdiscs(netlink, out);
        limitations = qdiscs instanceof Unavailable ? `qdiscs: ${qdiscs.reason}` : undefined;
        for (const { vif, device } of netfrontDevices(sysfs, out)) {
          const labels = out.labels(vifLabel, vif);
          const traffic = counters.get(device);
          if (!traffic && hasAllRows) out.skip(missingRow(procfs, device));
          out.counter(metrics.receivePackets, labels, { device: vif, reads: traffic?.receivePackets });
          out.counter(metrics.receiveBytes, labels, { device: vif, reads: traffic?.receiveBytes });
          out.counter(metrics.receiveDropped, labels, { device: vif, reads: traffic?.receiveDropped });
          out.counter(metrics.receiveErrors, labels, { device: vif, reads: traffic?.receiveErrors });
          out.counter(metrics.transmitPackets, labels, { device: vif, reads: traffic?.transmitPackets });
          out.counter(metrics.transmitBytes, labels, { device: vif, reads: traffic?.transmitBytes });
          out.counter(metrics.transmitDropped, labels, { device: vif, reads: traffic?.transmitDropped });
          out.counter(metrics.transmitErrors, labels, { device: vif, reads: traffic?.transmitErrors });
          const folder = `class/net/${device}/queues`;
          const queues = readItem(out, () => sysfs.listIfAny(folder))?.filter((name) => name.startsWith('rx-'));
          out.gauge(metrics.queues, labels, queues?.length || undefined);
          const qdisc = readItem(out, () => rootQdiscOf(device, qdiscs, sysfs));
          out.gauge(metrics.qdiscBacklog, labels, qdisc?.queueLength);
          out.counter(metrics.qdiscDrops, labels, { device: vif, reads: qdisc?.drops });
        }
      },
    };
  },
});
