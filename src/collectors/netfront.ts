import { Unavailable } from '../host/unavailable.ts';
import { parseNetDev } from '../formats/proc-net-dev.ts';
import { Accumulator, growthOfU32 } from '../metrics/accumulator.ts';
import { counter, gauge } from '../metrics/descriptor.ts';
import { LabelSets, type Labels } from '../metrics/labels.ts';
import { defineCollector } from './collector.ts';
import { parsed } from '../sources/parsed.ts';
import { rootQdiscOf, rootQdiscs } from '../sources/qdiscs.ts';
import { needsXen, netfrontDevices } from '../sources/xen.ts';

const netDev = 'Source: /proc/net/dev';
const vifLabel = ['vif'] as const;

const metrics = {
  receivePackets: counter(
    'xen_netfront_receive_packets_total',
    `Packets that the guest received. ${netDev}.`,
    vifLabel,
  ),
  receiveBytes: counter('xen_netfront_receive_bytes_total', `Bytes that the guest received. ${netDev}.`, vifLabel),
  receiveDropped: counter(
    'xen_netfront_receive_dropped_packets_total',
    `Received packets that the guest's kernel dropped before TCP. ${netDev}.`,
    vifLabel,
  ),
  receiveErrors: counter(
    'xen_netfront_receive_errors_total',
    `Bad responses of the backend (xennet_get_responses in drivers/net/xen-netfront.c). ${netDev}.`,
    vifLabel,
  ),
  transmitPackets: counter('xen_netfront_transmit_packets_total', `Packets that the guest sent. ${netDev}.`, vifLabel),
  transmitBytes: counter('xen_netfront_transmit_bytes_total', `Bytes that the guest sent. ${netDev}.`, vifLabel),
  transmitDropped: counter(
    'xen_netfront_transmit_dropped_packets_total',
    `Packets that netfront could not send: not connected, or too many fragments. ${netDev}.`,
    vifLabel,
  ),
  transmitErrors: counter('xen_netfront_transmit_errors_total', `Transmit errors. ${netDev}.`, vifLabel),
  queues: gauge(
    'xen_netfront_queues',
    'Queues that frontend and backend agreed on. Source: /sys/class/net/DEVICE/queues.',
    vifLabel,
  ),
  qdiscBacklog: gauge(
    'xen_netfront_qdisc_backlog_packets',
    'Packets that wait in the root qdisc because the transmit ring is full. Source: rtnetlink RTM_GETQDISC.',
    vifLabel,
  ),
  qdiscDrops: counter(
    'xen_netfront_qdisc_drops_total',
    'Packets that the root qdisc dropped, which no counter of the network device shows. Source: rtnetlink RTM_GETQDISC.',
    vifLabel,
  ),
};

/** The guest's end of the split network driver. */
export const netfront = defineCollector({
  name: 'netfront',
  help: "Traffic, drops, queues and qdisc of the guest's Xen network devices, from /proc/net/dev, sysfs and rtnetlink.",
  enabledByDefault: true,
  maxSeries: 1000,
  options: {},
  metrics: Object.values(metrics),
  create: ({ host: { sysfs } }) => {
    const onXen = needsXen(sysfs);
    const labelSets = new LabelSets(vifLabel);
    const qdiscDrops = new Accumulator<Labels>(growthOfU32);
    let limitations: string | undefined;
    return {
      availability: () => {
        if (onXen !== true) return onXen;
        return (
          netfrontDevices(sysfs).length > 0 || new Unavailable(`no network device in ${sysfs.path('bus/xen/devices')}`)
        );
      },
      limitations: () => limitations,
      collect: ({ host: { procfs, sysfs, netlink }, out }) => {
        const counters = parsed(procfs, 'net/dev', parseNetDev);
        const qdiscs = rootQdiscs(netlink);
        limitations = qdiscs instanceof Unavailable ? `qdiscs: ${qdiscs.reason}` : undefined;
        for (const { vif, device } of netfrontDevices(sysfs)) {
          const labels = labelSets.get(vif);
          const traffic = counters.get(device);
          out.add(metrics.receivePackets, labels, traffic?.receivePackets);
          out.add(metrics.receiveBytes, labels, traffic?.receiveBytes);
          out.add(metrics.receiveDropped, labels, traffic?.receiveDropped);
          out.add(metrics.receiveErrors, labels, traffic?.receiveErrors);
          out.add(metrics.transmitPackets, labels, traffic?.transmitPackets);
          out.add(metrics.transmitBytes, labels, traffic?.transmitBytes);
          out.add(metrics.transmitDropped, labels, traffic?.transmitDropped);
          out.add(metrics.transmitErrors, labels, traffic?.transmitErrors);
          const queues = sysfs.listIfAny(`class/net/${device}/queues`).filter((name) => name.startsWith('rx-'));
          out.add(metrics.queues, labels, queues.length || undefined);
          const qdisc = rootQdiscOf(device, qdiscs, sysfs);
          out.add(metrics.qdiscBacklog, labels, qdisc?.queueLength);
          out.add(metrics.qdiscDrops, labels, qdisc && qdiscDrops.total(labels, qdisc.drops));
        }
        labelSets.sweep();
        qdiscDrops.sweep();
      },
    };
  },
});
