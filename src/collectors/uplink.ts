import { Unavailable } from '../host/unavailable.ts';
import { parseInteger } from '../formats/integer.ts';
import { parseDpctlShow } from '../formats/ovs-dpctl-show.ts';
import { parseConntrackStat } from '../formats/proc-net-stat-nf-conntrack.ts';
import type { FileTree } from '../host/file-tree.ts';
import { growthOfU32, growthOfU64 } from '../metrics/accumulator.ts';
import { counter, gauge } from '../metrics/descriptor.ts';
import type { Families } from '../metrics/families.ts';
import { LabelSets, noLabels } from '../metrics/labels.ts';
import { SummedCounter } from '../metrics/summed-counter.ts';
import { BackgroundReading, readCommand } from '../sources/background-reading.ts';
import { defineCollector } from './collector.ts';
import { parsedCachedIfAny } from '../sources/parsed.ts';

const deviceLabel = ['device'] as const;
const statistics = 'Source: /sys/class/net/DEVICE/statistics';
const conntrackStat = 'Source: /proc/net/stat/nf_conntrack, over all CPUs (checked with Linux 6.1)';

const metrics = {
  missed: counter(
    'xen_uplink_receive_missed_total',
    `Packets that the network card had no buffer for: the host takes them too slowly. ${statistics}/rx_missed_errors (checked with Linux 6.1).`,
    deviceLabel,
  ),
  dropped: counter(
    'xen_uplink_receive_dropped_total',
    `Packets that the kernel dropped behind the driver, also those of protocols that nobody wants. ${statistics}/rx_dropped (checked with Linux 6.1).`,
    deviceLabel,
  ),
  errors: counter(
    'xen_uplink_receive_errors_total',
    `Packets that arrived broken. ${statistics}/rx_errors (checked with Linux 6.1).`,
    deviceLabel,
  ),
  conntrackEntries: gauge(
    'xen_conntrack_entries',
    'Connections that the firewall of this kernel tracks. Source: /proc/sys/net/netfilter/nf_conntrack_count (checked with Linux 6.1).',
  ),
  conntrackLimit: gauge(
    'xen_conntrack_entries_limit',
    'Connections that the firewall can track; packets of further ones are dropped. Source: /proc/sys/net/netfilter/nf_conntrack_max (checked with Linux 6.1).',
  ),
  conntrackDrops: counter(
    'xen_conntrack_drops_total',
    `Packets dropped because the table of tracked connections was full. ${conntrackStat}.`,
  ),
  conntrackEarlyDrops: counter(
    'xen_conntrack_early_drops_total',
    `Tracked connections thrown out to make place for new ones. ${conntrackStat}.`,
  ),
  conntrackInsertFailed: counter(
    'xen_conntrack_insert_failed_total',
    `Connections that could not be added to the table, their packet dropped. ${conntrackStat}.`,
  ),
  ovsLost: counter(
    'xen_ovs_lost_packets_total',
    'Packets that Open vSwitch lost on the way to its daemon, which decides on the first packet of each flow. Source: lost of ovs-appctl dpctl/show (checked with Open vSwitch 3.1, Linux 6.1).',
    ['datapath'],
  ),
};

/** The network cards: devices of this machine's hardware, neither made by the kernel (bridges, bonds) nor by Xen. Throws FileError. */
const networkCards = (sysfs: FileTree): string[] =>
  sysfs.listIfAny('class/net').filter((name) => sysfs.exists(`class/net/${name}/device`) && !isXenDevice(sysfs, name));

/** Devices of Xen's bus say of what class they are (xenbus_dev_attrs); those of PCI do not. */
const isXenDevice = (sysfs: FileTree, name: string): boolean => sysfs.exists(`class/net/${name}/device/devtype`);

/** Open vSwitch makes a network device for its datapath in the kernel, and one for that in its daemon. It may be installed and not run. */
const hasDatapath = (sysfs: FileTree): boolean =>
  ['ovs-system', 'ovs-netdev'].some((name) => sysfs.exists(`class/net/${name}`));

/** The first hop: packets that were lost before the bridge could see them, or on it. */
export const uplink = defineCollector({
  name: 'uplink',
  help: 'Packets lost by network cards, connection tracking and Open vSwitch, from sysfs, /proc/net/stat and ovs-appctl.',
  enabledByDefault: true,
  maxSeries: 1000,
  options: {},
  metrics: Object.values(metrics),
  create: ({ host, toolstack }) => {
    const deviceLabels = new LabelSets(deviceLabel);
    const datapathLabels = new LabelSets(metrics.ovsLost.labels);
    const cards = [
      { file: 'rx_missed_errors', counter: new SummedCounter(metrics.missed, growthOfU64) },
      { file: 'rx_dropped', counter: new SummedCounter(metrics.dropped, growthOfU64) },
      { file: 'rx_errors', counter: new SummedCounter(metrics.errors, growthOfU64) },
    ];
    const conntrack = {
      drops: new SummedCounter(metrics.conntrackDrops, growthOfU32),
      earlyDrops: new SummedCounter(metrics.conntrackEarlyDrops, growthOfU32),
      insertFailed: new SummedCounter(metrics.conntrackInsertFailed, growthOfU32),
    };

    const program = host.commands.find('ovs-appctl');
    const datapaths =
      program === undefined
        ? undefined
        : new BackgroundReading({
            every: { seconds: 15 },
            clock: host.clock,
            read: async () => {
              const command = toolstack.command('ovs-appctl dpctl/show', program, ['dpctl/show']);
              return hasDatapath(host.sysfs) ? readCommand(host.commands, command, parseDpctlShow) : [];
            },
          });

    const addConntrack = (procfs: FileTree, out: Families): void => {
      const setting = (name: string) => parsedCachedIfAny(procfs, `sys/net/netfilter/${name}`, parseInteger);
      out.add(metrics.conntrackEntries, noLabels, setting('nf_conntrack_count'));
      out.add(metrics.conntrackLimit, noLabels, setting('nf_conntrack_max'));
      const perCpu = parsedCachedIfAny(procfs, 'net/stat/nf_conntrack', parseConntrackStat);
      for (const [cpu, counts] of (perCpu ?? []).entries()) {
        conntrack.drops.feed(noLabels, String(cpu), counts.drops);
        conntrack.earlyDrops.feed(noLabels, String(cpu), counts.earlyDrops);
        conntrack.insertFailed.feed(noLabels, String(cpu), counts.insertFailed);
      }
      Object.values(conntrack).forEach((counter) => counter.flush(out));
    };

    return {
      availability: () => {
        try {
          return (
            networkCards(host.sysfs).length > 0 || new Unavailable(`no network card in ${host.sysfs.path('class/net')}`)
          );
        } catch (error) {
          return Unavailable.because(error);
        }
      },
      ...(datapaths && { background: [datapaths] }),
      collect: ({ host: { procfs, sysfs }, out }) => {
        for (const card of networkCards(sysfs)) {
          const labels = deviceLabels.get(card);
          for (const { file, counter } of cards) {
            counter.feed(labels, card, parsedCachedIfAny(sysfs, `class/net/${card}/statistics/${file}`, parseInteger));
          }
        }
        for (const { counter } of cards) counter.flush(out);
        addConntrack(procfs, out);
        for (const { datapath, lost } of datapaths?.fresh ?? []) {
          out.add(metrics.ovsLost, datapathLabels.get(datapath), lost);
        }
        [deviceLabels, datapathLabels].forEach((labels) => labels.sweep());
      },
    };
  },
});
