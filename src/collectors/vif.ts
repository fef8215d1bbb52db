import { Unavailable } from '../host/unavailable.ts';
import { parseInteger } from '../formats/integer.ts';
import { parseNetDev, type NetDevice } from '../formats/proc-net-dev.ts';
import { FileError, isMissing, unlessMissing, type FileTree } from '../host/file-tree.ts';
import { bounds } from '../metrics/bounds.ts';
import { counter, gauge } from '../metrics/descriptor.ts';
import type { Labels } from '../metrics/labels.ts';
import type { Output } from '../metrics/output.ts';
import { needsVifs, vifDevices, type VifDevice } from '../sources/backend-devices.ts';
import { defineCollector } from './collector.ts';
import { missingRow, parsedRows, readItem } from '../sources/parsed.ts';
import { rootQdiscOf, rootQdiscs } from '../sources/qdiscs.ts';

const vifLabels = ['domain', 'vif'] as const;
const netDev = { source: '/proc/net/dev of the backend', versions: 'checked with Linux 6.1', wraps: 'u64' } as const;
const packets = { labels: vifLabels, ...netDev, bounds: bounds.packets };
const bytes = { labels: vifLabels, ...netDev, bounds: bounds.bytes };
const getQdisc = { labels: vifLabels, source: 'rtnetlink RTM_GETQDISC', versions: 'checked with Linux 6.1' };
const goesOn = "Continues when the guest reboots or its driver reconnects. Includes a stub domain's traffic.";

const metrics = {
  receivePackets: counter('xen_vif_receive_packets_total', {
    meaning: `Packets that the backend passed to the guest (sent on the vif). ${goesOn}`,
    ...packets,
  }),
  receiveBytes: counter('xen_vif_receive_bytes_total', {
    meaning: `Bytes that the backend passed to the guest (sent on the vif). ${goesOn}`,
    ...bytes,
  }),
  transmitPackets: counter('xen_vif_transmit_packets_total', {
    meaning: `Packets that the guest sent (received on the vif). ${goesOn}`,
    ...packets,
  }),
  transmitBytes: counter('xen_vif_transmit_bytes_total', {
    meaning: `Bytes that the guest sent (received on the vif). ${goesOn}`,
    ...bytes,
  }),
  dropped: counter('xen_vif_receive_dropped_packets_total', {
    meaning:
      'Packets for the guest that were lost. "refused": netback refused them because its queue for the guest was full or the guest is not connected (tx_dropped of the vif, xenvif_start_xmit); multicast that the guest filters counts too. "expired": they waited too long for the guest to post receive buffers, 10 s by default (rx_dropped of the vif, which is misnamed: xenvif_rx_queue_drop_expired, Linux 3.18 and later). Nothing counts losses in the other direction.',
    ...packets,
    labels: [...vifLabels, 'reason'],
  }),
  qdiscBacklog: gauge('xen_vif_qdisc_backlog_packets', {
    meaning: "Packets for the guest that wait in the vif's root qdisc because netback's queue for the guest is full.",
    ...getQdisc,
  }),
  qdiscDrops: counter('xen_vif_qdisc_drops_total', {
    meaning: "Packets for the guest that the vif's root qdisc dropped, which no counter of the network device shows.",
    ...getQdisc,
    wraps: 'u32',
    bounds: bounds.queuePackets,
  }),
  connected: gauge('xen_vif_connected', {
    meaning:
      'Whether the vif has a carrier: 1 while frontend and backend are connected, 0 before, after a fatal error of the frontend, and while its ring has stalled for 60 s.',
    labels: vifLabels,
    source: '/sys/class/net/VIF/carrier',
    versions: 'checked with Linux 6.1',
  }),
  queues: gauge('xen_vif_queues', {
    meaning: 'Queues that frontend and backend agreed on.',
    labels: vifLabels,
    source: '/sys/class/net/VIF/queues',
    versions: 'Linux 3.16 and later',
  }),
  info: gauge('xen_vif_info', {
    meaning:
      'Constant 1. A vif: the domid of its domain, MAC address of the guest (empty until known, and in a driver domain) and the bridge or switch that it is a port of (empty if none).',
    labels: ['domain', 'domid', 'vif', 'mac', 'bridge'],
    source: '/sys/bus/xen-backend/devices, /sys/class/net/VIF/master, xl list -l',
    versions: 'Xen 4.17',
  }),
};

/** 1 or 0. A network device that is down returns EINVAL instead of a carrier. */
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

/** The hop between bridge and netback: packets passed to each guest, and packets lost on the way. */
export const vif = defineCollector({
  name: 'vif',
  help: 'Traffic, drops, qdisc and state of the vif of every guest, from /proc/net/dev, sysfs and rtnetlink.',
  enabledByDefault: true,
  maxSeries: 20_000,
  options: {},
  metrics: Object.values(metrics),
  create: ({ host: { sysfs }, toolstack }) => {
    const { xl, directory } = toolstack;
    let limitations: string | undefined;

    const addTraffic = (
      out: Output,
      labels: Labels<(typeof vifLabels)[number]>,
      { name }: VifDevice,
      traffic: NetDevice,
    ): void => {
      const { domain, vif } = labels;
      const lost = (reason: 'refused' | 'expired', reads: number | undefined): void =>
        out.counter(metrics.dropped, out.labels(metrics.dropped.labels, domain, vif, reason), {
          source: `${name} ${reason}`,
          device: name,
          reads,
        });
      // From the guest's point of view: the vif transmits what the guest receives.
      const from = { source: name, device: name };
      out.counter(metrics.receivePackets, labels, { ...from, reads: traffic.transmitPackets });
      out.counter(metrics.receiveBytes, labels, { ...from, reads: traffic.transmitBytes });
      out.counter(metrics.transmitPackets, labels, { ...from, reads: traffic.receivePackets });
      out.counter(metrics.transmitBytes, labels, { ...from, reads: traffic.receiveBytes });
      lost('refused', traffic.transmitDropped);
      lost('expired', traffic.receiveDropped);
    };

    return {
      availability: () => needsVifs(sysfs),
      limitations: () => limitations,
      sharedTasks: toolstack.naming,
      *collect({ host: { procfs, sysfs, netlink }, out }) {
        const item = <Reading>(read: () => Reading): Reading | undefined => readItem(out, read);
        const traffic = parsedRows(procfs, 'net/dev', parseNetDev, out);
        const hasAllRows = out.skipped === undefined;
        const qdiscs = rootQdiscs(netlink, out);
        limitations = qdiscs instanceof Unavailable ? `qdiscs: ${qdiscs.reason}` : undefined;
        const configs = xl instanceof Unavailable ? undefined : xl.configs.last;
        const macs = new Map<string, string | undefined>(
          configs?.flatMap(({ domid, nics }) => nics.map(({ devid, mac }) => [`${domid}-${devid}`, mac] as const)),
        );
        for (const device of vifDevices(sysfs, out)) {
          yield;
          const { domid, device: index, netDevice } = device;
          const owner = directory.ownerOf(domid);
          if (owner === undefined || netDevice === undefined) continue;
          const own = traffic.get(netDevice);
          const labels = out.labels(vifLabels, owner.label, index);
          const qdisc = item(() => rootQdiscOf(netDevice, qdiscs, sysfs));
          const mac = macs.get(`${domid}-${index}`) ?? '';
          const bridge = item(() => bridgeOf(sysfs, netDevice)) ?? '';
          const info = [owner.label, String(domid), index, mac, bridge];
          out.gauge(metrics.info, out.labels(metrics.info.labels, ...info), 1);
          if (!owner.isStub) {
            out.gauge(metrics.qdiscBacklog, labels, qdisc?.queueLength);
            const isConnected = item(() => carrierOf(sysfs, netDevice));
            out.gauge(metrics.connected, labels, isConnected);
            const queues = item(() => queuesOf(sysfs, netDevice));
            out.gauge(metrics.queues, labels, queues);
          }
          if (own) addTraffic(out, labels, device, own);
          else if (hasAllRows) out.skip(missingRow(procfs, netDevice));
          out.counter(metrics.qdiscDrops, labels, { source: device.name, device: device.name, reads: qdisc?.drops });
        }
      },
    };
  },
});
