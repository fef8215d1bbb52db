import { Unavailable } from '../host/unavailable.ts';
import { parseInteger } from '../formats/integer.ts';
import { parseNetDev, type NetDevice } from '../formats/proc-net-dev.ts';
import { FileError, isMissing, unlessMissing, type FileTree } from '../host/file-tree.ts';
import { growthOfU32, growthOfU64 } from '../metrics/accumulator.ts';
import { counter, gauge } from '../metrics/descriptor.ts';
import { LabelSets, type Labels } from '../metrics/labels.ts';
import { SummedCounter } from '../metrics/summed-counter.ts';
import { needsVifs, vifDevices, type VifDevice } from '../sources/backend-devices.ts';
import { defineCollector } from './collector.ts';
import { parsed } from '../sources/parsed.ts';
import { rootQdiscOf, rootQdiscs } from '../sources/qdiscs.ts';

const netDev = 'Source: /proc/net/dev of the backend (checked with Linux 6.1)';
const vifLabels = ['domain', 'vif'] as const;
const goesOn = "Goes on when the guest reboots or its driver reconnects; with a stub domain's traffic.";

const metrics = {
  receivePackets: counter(
    'xen_vif_receive_packets_total',
    `Packets that the backend passed to the guest: what it sent on the vif. ${goesOn} ${netDev}.`,
    vifLabels,
  ),
  receiveBytes: counter(
    'xen_vif_receive_bytes_total',
    `Bytes that the backend passed to the guest: what it sent on the vif. ${goesOn} ${netDev}.`,
    vifLabels,
  ),
  transmitPackets: counter(
    'xen_vif_transmit_packets_total',
    `Packets that the guest sent: what the backend received on the vif. ${goesOn} ${netDev}.`,
    vifLabels,
  ),
  transmitBytes: counter(
    'xen_vif_transmit_bytes_total',
    `Bytes that the guest sent: what the backend received on the vif. ${goesOn} ${netDev}.`,
    vifLabels,
  ),
  dropped: counter(
    'xen_vif_receive_dropped_packets_total',
    `Packets for the guest that were lost. "refused": netback took them not, because its queue for the guest was full or the guest is not connected (tx_dropped of the vif, xenvif_start_xmit); multicast that the guest filters counts too. "expired": they waited too long for the guest to post receive buffers, 10 s by default (rx_dropped of the vif, which is misnamed: xenvif_rx_queue_drop_expired, Linux 3.18 and later). Nothing counts losses in the other direction. ${netDev}.`,
    [...vifLabels, 'reason'],
  ),
  qdiscBacklog: gauge(
    'xen_vif_qdisc_backlog_packets',
    "Packets for the guest that wait in the vif's root qdisc because netback's queue for the guest is full. Source: rtnetlink RTM_GETQDISC (checked with Linux 6.1).",
    vifLabels,
  ),
  qdiscDrops: counter(
    'xen_vif_qdisc_drops_total',
    "Packets for the guest that the vif's root qdisc dropped, which no counter of the network device shows. Source: rtnetlink RTM_GETQDISC (checked with Linux 6.1).",
    vifLabels,
  ),
  connected: gauge(
    'xen_vif_connected',
    'Whether the vif has a carrier: 1 while frontend and backend are connected, 0 before, after a fatal error of the frontend, and while its ring has stalled for 60 s. Source: /sys/class/net/VIF/carrier (checked with Linux 6.1).',
    vifLabels,
  ),
  queues: gauge(
    'xen_vif_queues',
    'Queues that frontend and backend agreed on. Source: /sys/class/net/VIF/queues (Linux 3.16 and later).',
    vifLabels,
  ),
  info: gauge(
    'xen_vif_info',
    'Constant 1. A vif: the domid of its domain, MAC address of the guest (empty until known, and in a driver domain) and the bridge or switch that it is a port of (empty where none). Source: /sys/bus/xen-backend/devices, /sys/class/net/VIF/master, xl list -l (Xen 4.17).',
    ['domain', 'domid', 'vif', 'mac', 'bridge'],
  ),
};

/** 1 or 0; a network device that is down has no carrier to ask for (EINVAL). */
const carrierOf = (sysfs: FileTree, netDevice: string): number | undefined => {
  try {
    return parseInteger(sysfs.cachedText(`class/net/${netDevice}/carrier`)) === 1 ? 1 : 0;
  } catch (error) {
    if (isMissing(error)) return undefined;
    if (error instanceof FileError && error.code === 'EINVAL') return 0;
    throw error;
  }
};

const queuesOf = (sysfs: FileTree, netDevice: string): number | undefined =>
  unlessMissing(() => sysfs.unsorted(`class/net/${netDevice}/queues`).filter((name) => name.startsWith('tx-')).length);

const bridgeOf = (sysfs: FileTree, netDevice: string): string =>
  sysfs.linkIfAny(`class/net/${netDevice}/master`)?.split('/').at(-1) ?? '';

/** The hop between bridge and netback: what was passed to each guest, and what was lost before it got there. */
export const vif = defineCollector({
  name: 'vif',
  help: 'Traffic, drops, qdisc and state of the vif of every guest, from /proc/net/dev, sysfs and rtnetlink.',
  enabledByDefault: true,
  maxSeries: 20_000,
  options: {},
  metrics: Object.values(metrics),
  create: ({ host: { sysfs }, toolstack }) => {
    const { xl, directory } = toolstack;
    const labelSets = new LabelSets(vifLabels);
    const dropLabels = new LabelSets(metrics.dropped.labels);
    const infoLabels = new LabelSets(metrics.info.labels);
    const counters = {
      receivePackets: new SummedCounter(metrics.receivePackets, growthOfU64),
      receiveBytes: new SummedCounter(metrics.receiveBytes, growthOfU64),
      transmitPackets: new SummedCounter(metrics.transmitPackets, growthOfU64),
      transmitBytes: new SummedCounter(metrics.transmitBytes, growthOfU64),
      dropped: new SummedCounter(metrics.dropped, growthOfU64),
      qdiscDrops: new SummedCounter(metrics.qdiscDrops, growthOfU32),
    };
    let limitations: string | undefined;

    const feed = (labels: Labels<(typeof vifLabels)[number]>, { name }: VifDevice, traffic: NetDevice): void => {
      const { domain, vif } = labels;
      // The guest's direction: what the vif transmits, the guest receives.
      counters.receivePackets.feed(labels, name, traffic.transmitPackets);
      counters.receiveBytes.feed(labels, name, traffic.transmitBytes);
      counters.transmitPackets.feed(labels, name, traffic.receivePackets);
      counters.transmitBytes.feed(labels, name, traffic.receiveBytes);
      counters.dropped.feed(dropLabels.get(domain, vif, 'refused'), `${name} refused`, traffic.transmitDropped);
      counters.dropped.feed(dropLabels.get(domain, vif, 'expired'), `${name} expired`, traffic.receiveDropped);
    };

    return {
      availability: () => needsVifs(sysfs),
      limitations: () => limitations,
      sharedTasks: [...toolstack.naming, ...(xl instanceof Unavailable ? [] : [xl.configs])],
      *collect({ host: { procfs, sysfs, netlink }, out }) {
        const traffic = parsed(procfs, 'net/dev', parseNetDev);
        const qdiscs = rootQdiscs(netlink);
        limitations = qdiscs instanceof Unavailable ? `qdiscs: ${qdiscs.reason}` : undefined;
        const configs = xl instanceof Unavailable ? undefined : xl.configs.last;
        const macs = new Map<string, string | undefined>(
          configs?.flatMap(({ domid, nics }) => nics.map(({ devid, mac }) => [`${domid}-${devid}`, mac] as const)),
        );
        for (const device of vifDevices(sysfs)) {
          yield;
          const { domid, device: index, netDevice } = device;
          const owner = directory.ownerOf(domid);
          const own = netDevice === undefined ? undefined : traffic.get(netDevice);
          if (owner === undefined || netDevice === undefined || own === undefined) continue;
          const labels = labelSets.get(owner.label, index);
          feed(labels, device, own);
          const qdisc = rootQdiscOf(netDevice, qdiscs, sysfs);
          counters.qdiscDrops.feed(labels, device.name, qdisc?.drops);
          const mac = macs.get(`${domid}-${index}`) ?? '';
          out.add(metrics.info, infoLabels.get(owner.label, String(domid), index, mac, bridgeOf(sysfs, netDevice)), 1);
          if (owner.isStub) continue;
          out.add(metrics.qdiscBacklog, labels, qdisc?.queueLength);
          out.add(metrics.connected, labels, carrierOf(sysfs, netDevice));
          out.add(metrics.queues, labels, queuesOf(sysfs, netDevice));
        }
        Object.values(counters).forEach((summed) => summed.flush(out));
        [labelSets, dropLabels, infoLabels].forEach((sets) => sets.sweep());
      },
    };
  },
});
