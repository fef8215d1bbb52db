import type { ListenerSocket } from '../../formats/listener-socket.ts';
import type { SynRecvSocket } from '../../formats/inet-diag.ts';
import type { Host } from '../../host/host.ts';
import type { Log } from '../../host/log.ts';
import type { Families } from '../../metrics/families.ts';
import { LabelSets, type Labels } from '../../metrics/labels.ts';
import { defineCollector } from '../collector.ts';
import { choiceOption, patternOption } from '../option.ts';
import { needs } from '../parsed.ts';
import { samplerOptions } from '../sampler-options.ts';
import { AcceptQueues, type Listener } from './accept-queues.ts';
import { addressKey } from './address-key.ts';
import { listenerLabels, metrics } from './metrics.ts';
import { netlinkSource } from './netlink-source.ts';
import { procSource } from './proc-source.ts';
import { Services } from './services.ts';
import type { ListenerSource } from './source.ts';

const options = {
  source: choiceOption({
    help: 'Where to read listening sockets: the kernel by netlink (sock_diag), or /proc/net/tcp and ss. auto is netlink where it works.',
    default: 'auto',
    choices: ['auto', 'netlink', 'proc'],
  }),
  ...samplerOptions('all accept queues', 20, 1000),
  include: patternOption({ help: 'Listeners to export, matched as ADDRESS:PORT; all where not given.' }),
  exclude: patternOption({ help: 'Listeners to leave out, matched as ADDRESS:PORT.' }),
};

const chooseSource = (wanted: 'auto' | ListenerSource['name'], host: Host, log: Log): ListenerSource => {
  if (wanted === 'netlink') return netlinkSource;
  if (wanted === 'proc') return procSource(host, '--collector.listeners.source=proc');
  try {
    netlinkSource.read(host);
    return netlinkSource;
  } catch (error) {
    const why = (error as Error).message;
    log.info('Reading listening sockets from /proc', { reason: why });
    return procSource(host, why);
  }
};

const wildcards = { ipv4: '0.0.0.0', ipv6: '::' } as const;

/** Counts the connections in the handshake by the listener that they came to: that of their address, else the wildcard's. */
const countSynQueues = (rows: readonly SynRecvSocket[], listeners: readonly Listener[]): Map<Listener, number> => {
  const byKey = new Map(listeners.map((listener) => [addressKey(listener), listener]));
  const lengths = new Map(listeners.map((listener) => [listener, 0]));
  for (const row of rows) {
    const listener = byKey.get(addressKey(row)) ?? byKey.get(addressKey({ ...row, address: wildcards[row.family] }));
    if (listener) lengths.set(listener, lengths.get(listener)! + 1);
  }
  return lengths;
};

/** Every listening socket's accept queue: the last hop, and the one that refuses. */
export const listeners = defineCollector({
  name: 'listeners',
  help: 'Accept queue and SYN queue of every listening TCP socket, sampled many times a second, from the kernel by netlink or from /proc/net/tcp and ss.',
  enabledByDefault: true,
  cadence: 'live',
  maxSeries: 12_000,
  options,
  metrics: Object.values(metrics),
  create: ({ options, host, log }) => {
    const source = chooseSource(options.source, host, log);
    const queues = new AcceptQueues();
    const services = new Services(host.sysfs, host.clock);
    const labelSets = new LabelSets(listenerLabels);
    const infoLabels = new LabelSets(metrics.info.labels);
    const sourceLabels = new LabelSets(metrics.source.labels);
    const isSampled = options['sampler-hertz'] > 0;
    let sampledAt: number | undefined;

    const isWanted = ({ address, port }: ListenerSocket): boolean => {
      const name = `${address}:${port}`;
      return (options.include?.test(name) ?? true) && !options.exclude?.test(name);
    };
    const read = (from: Host): ListenerSocket[] => {
      const sockets = source.read(from);
      return options.include || options.exclude ? sockets.filter(isWanted) : sockets;
    };

    const addSampled = (out: Families, labels: Labels<(typeof listenerLabels)[number]>, listener: Listener): void => {
      out.add(metrics.connectionSeconds, labels, listener.connectionSeconds);
      out.add(metrics.dequeued, labels, listener.dequeued);
      if (listener.queueLimit === undefined) return;
      out.add(metrics.fullSeconds, labels, listener.fullSeconds);
      out.addHistogram(metrics.fill, labels, listener.fill.read());
    };

    return {
      applies: () => (source.name === 'netlink' ? true : needs(host.procfs, 'net/tcp')),
      lacks: () => source.lacks,
      collect: ({ host, out }) => {
        queues.observe(read(host));
        const listeners = queues.listeners;
        const families = [...new Set(listeners.map(({ family }) => family))];
        const synReceived = source.readSynReceived?.(host, families);
        const synQueues = synReceived && countSynQueues(synReceived, listeners);
        for (const listener of listeners) {
          const { family, address, port } = listener;
          const labels = labelSets.get(address, String(port), family);
          const service = services.nameOf(listener.cgroupId);
          out.add(metrics.info, infoLabels.get(address, String(port), family, service), 1);
          out.add(metrics.sockets, labels, listener.sockets);
          out.add(metrics.length, labels, listener.queueLength);
          out.add(metrics.limit, labels, listener.queueLimit);
          out.add(metrics.maxFill, labels, listener.maxFill);
          out.add(metrics.synQueueLength, labels, synQueues?.get(listener));
          out.add(metrics.drops, labels, listener.drops);
          if (isSampled) addSampled(out, labels, listener);
        }
        out.add(metrics.source, sourceLabels.get(source.name), 1);
        labelSets.sweep();
        infoLabels.sweep();
        sourceLabels.sweep();
      },
      sampler: {
        name: 'listeners',
        hertz: options['sampler-hertz'],
        cpuBudget: options['sampler-cpu-budget'],
        sample: () => {
          const last = sampledAt;
          sampledAt = undefined;
          const readings = read(host);
          sampledAt = host.clock.monotonicSeconds();
          // The first sample, and the first after one that failed, stands for no time that we know of.
          queues.sample(readings, last === undefined ? 0 : sampledAt - last);
        },
      },
      ...(source.background && { background: [source.background] }),
    };
  },
});
