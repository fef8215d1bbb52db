import { bounds } from '../metrics/bounds.ts';
import { Unavailable } from '../host/unavailable.ts';
import { parseCounterFile, parseInteger } from '../formats/integer.ts';
import { parseDpctlShow } from '../formats/ovs-dpctl-show.ts';
import { parseConntrackStat } from '../formats/proc-net-stat-nf-conntrack.ts';
import type { FileTree } from '../host/file-tree.ts';
import { counter, gauge } from '../metrics/descriptor.ts';
import { noLabels } from '../metrics/labels.ts';
import type { Output } from '../metrics/output.ts';
import { BackgroundReading, readCommand } from '../sources/background-reading.ts';
import { defineCollector } from './collector.ts';
import { parsedCachedIfAny, parsedCachedRowsIfAny, readItem } from '../sources/parsed.ts';

const deviceLabel = ['device'] as const;
const statistics = '/sys/class/net/DEVICE/statistics';
const conntrackCount = 'sys/net/netfilter/nf_conntrack_count';
const conntrackStatFile = 'net/stat/nf_conntrack';
const conntrackStat = {
  source: '/proc/net/stat/nf_conntrack, over all CPUs',
  versions: 'checked with Linux 6.1',
} as const;

const metrics = {
  missed: counter('xen_uplink_receive_missed_total', {
    meaning: 'Packets that the network card dropped for lack of a buffer: the host reads them too slowly.',
    labels: deviceLabel,
    source: `${statistics}/rx_missed_errors`,
    versions: 'checked with Linux 6.1',
    wraps: 'u64',
    bounds: bounds.packets,
  }),
  dropped: counter('xen_uplink_receive_dropped_total', {
    meaning: 'Packets that the kernel dropped behind the driver, including packets of protocols that no program reads.',
    labels: deviceLabel,
    source: `${statistics}/rx_dropped`,
    versions: 'checked with Linux 6.1',
    wraps: 'u64',
    bounds: bounds.packets,
  }),
  errors: counter('xen_uplink_receive_errors_total', {
    meaning: 'Packets that arrived broken.',
    labels: deviceLabel,
    source: `${statistics}/rx_errors`,
    versions: 'checked with Linux 6.1',
    wraps: 'u64',
    bounds: bounds.packets,
  }),
  conntrackEntries: gauge('xen_conntrack_entries', {
    meaning: 'Connections that the firewall of this kernel tracks.',
    source: '/proc/sys/net/netfilter/nf_conntrack_count',
    versions: 'checked with Linux 6.1',
  }),
  conntrackLimit: gauge('xen_conntrack_entries_limit', {
    meaning: 'Limit of connections that the firewall can track. Packets of further connections are dropped.',
    source: '/proc/sys/net/netfilter/nf_conntrack_max',
    versions: 'checked with Linux 6.1',
  }),
  conntrackDrops: counter('xen_conntrack_drops_total', {
    meaning: 'Packets dropped because the table of tracked connections was full.',
    ...conntrackStat,
    wraps: 'u32',
    bounds: bounds.connections,
  }),
  conntrackEarlyDrops: counter('xen_conntrack_early_drops_total', {
    meaning: 'Tracked connections evicted for new ones.',
    ...conntrackStat,
    wraps: 'u32',
    bounds: bounds.connections,
  }),
  conntrackInsertFailed: counter('xen_conntrack_insert_failed_total', {
    meaning: 'Connections that could not be added to the table. Their packet was dropped.',
    ...conntrackStat,
    wraps: 'u32',
    bounds: bounds.connections,
  }),
  ovsLost: counter('xen_ovs_lost_packets_total', {
    meaning: 'Packets that Open vSwitch lost on the way to its daemon, which decides on the first packet of each flow.',
    labels: ['datapath'],
    source: 'lost of ovs-appctl dpctl/show',
    versions: 'checked with Open vSwitch 3.1, Linux 6.1',
    wraps: 'u64',
    bounds: bounds.packets,
  }),
};

/** Counters of network cards, with their files. */
const cardCounters = [
  { file: 'rx_missed_errors', metric: metrics.missed },
  { file: 'rx_dropped', metric: metrics.dropped },
  { file: 'rx_errors', metric: metrics.errors },
] as const;

/** Network cards: hardware devices, not those of the kernel (bridges, bonds) or of Xen. Throws FileError. */
const networkCards = (sysfs: FileTree): string[] =>
  sysfs.listIfAny('class/net').filter((name) => sysfs.exists(`class/net/${name}/device`) && !isXenDevice(sysfs, name));

/** Devices on Xen's bus state their class (xenbus_dev_attrs); PCI devices do not. */
const isXenDevice = (sysfs: FileTree, name: string): boolean => sysfs.exists(`class/net/${name}/device/devtype`);

/**
 * Open vSwitch creates a network device for its kernel datapath, and another in its daemon. It may be installed but not
 * running.
 */
const hasDatapath = (sysfs: FileTree): boolean =>
  ['ovs-system', 'ovs-netdev'].some((name) => sysfs.exists(`class/net/${name}`));

/** The first hop: packets lost at or before the bridge. */
export const uplink = defineCollector({
  name: 'uplink',
  help: 'Packets lost by network cards, connection tracking and Open vSwitch, from sysfs, /proc/net/stat and ovs-appctl.',
  enabledByDefault: true,
  maxSeries: 1000,
  options: {},
  metrics: Object.values(metrics),
  create: ({ host, toolstack }) => {
    const program = host.commands.find('ovs-appctl');
    const datapaths =
      program === undefined
        ? undefined
        : new BackgroundReading({
            name: 'ovs-appctl dpctl/show',
            every: { seconds: 15 },
            clock: host.clock,
            read: async (doubt) => {
              const command = toolstack.command('ovs-appctl dpctl/show', program, ['dpctl/show']);
              return hasDatapath(host.sysfs) ? readCommand(host.commands, command, parseDpctlShow, doubt) : [];
            },
          });

    const addConntrack = (procfs: FileTree, out: Output): void => {
      const read = <Reading>(file: string, parse: (text: string) => Reading): Reading | undefined =>
        readItem(out, () => parsedCachedIfAny(procfs, file, parse));
      out.gauge(metrics.conntrackEntries, noLabels, read(conntrackCount, parseInteger));
      out.gauge(metrics.conntrackLimit, noLabels, read('sys/net/netfilter/nf_conntrack_max', parseInteger));
      const perCpu = readItem(out, () => parsedCachedRowsIfAny(procfs, conntrackStatFile, parseConntrackStat, out));
      for (const [cpu, counts] of (perCpu ?? []).entries()) {
        if (counts === undefined) continue;
        // All CPUs' counts restart together, with their network namespace or module.
        const from = { source: String(cpu), device: 'conntrack' };
        out.counter(metrics.conntrackDrops, noLabels, { ...from, reads: counts.drops });
        out.counter(metrics.conntrackEarlyDrops, noLabels, { ...from, reads: counts.earlyDrops });
        out.counter(metrics.conntrackInsertFailed, noLabels, { ...from, reads: counts.insertFailed });
      }
    };

    return {
      availability: () => {
        try {
          const { procfs, sysfs } = host;
          return (
            networkCards(sysfs).length > 0 ||
            procfs.exists(conntrackCount) ||
            (datapaths !== undefined && hasDatapath(sysfs)) ||
            new Unavailable(
              `no network card in ${sysfs.path('class/net')}, no connection tracking (${procfs.path(conntrackCount)}) and no Open vSwitch datapath`,
            )
          );
        } catch (error) {
          return Unavailable.because(error);
        }
      },
      limitations: () => {
        const { procfs } = host;
        if (!procfs.exists(conntrackCount) || procfs.exists(conntrackStatFile)) return undefined;
        return `drops of connection tracking: ${procfs.path(conntrackStatFile)} does not exist (CONFIG_NF_CONNTRACK_PROCFS)`;
      },
      ...(datapaths && { background: [datapaths] }),
      collect: ({ host: { procfs, sysfs }, out }) => {
        for (const card of networkCards(sysfs)) {
          const labels = out.labels(deviceLabel, card);
          for (const { file, metric } of cardCounters) {
            const path = `class/net/${card}/statistics/${file}`;
            const reads = readItem(out, () => parsedCachedIfAny(sysfs, path, parseCounterFile));
            out.counter(metric, labels, { reads });
          }
        }
        addConntrack(procfs, out);
        for (const { datapath, lost } of datapaths?.fresh ?? []) {
          const labels = out.labels(metrics.ovsLost.labels, datapath);
          out.counter(metrics.ovsLost, labels, { reads: lost, at: datapaths?.taken?.at, took: datapaths?.taken?.took });
        }
      },
    };
  },
});
