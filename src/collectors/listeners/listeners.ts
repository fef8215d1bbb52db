import type { ListenerSocket } from '../../formats/listener-socket.ts';
import type { SynRecvSocket } from '../../formats/inet-diag.ts';
import type { ListenAddress } from '../../formats/inet-diag-filter.ts';
import type { IpFamily } from '../../formats/ip-address.ts';
import type { Host } from '../../host/host.ts';
import type { EnteredNamespace } from '../../host/netlink.ts';
import type { Log } from '../../host/log.ts';
import type { Labels } from '../../metrics/labels.ts';
import type { Output } from '../../metrics/output.ts';
import { defineCollector } from '../collector.ts';
import { choiceOption, fileOnly, patternOption } from '../../config/option.ts';
import { needs, readItem, uncounted } from '../../sources/parsed.ts';
import { samplerOptions } from '../../config/collector-options.ts';
import type { NetworkNamespace } from '../../sources/namespaces/network-namespace.ts';
import { fillSeries } from './accept-queues.ts';
import { addressKey } from './address-key.ts';
import { byImportance } from './importance.ts';
import type { Listener } from './listener.ts';
import { listenerLabels, metrics } from './metrics.ts';
import { netlinkSource } from './netlink-source.ts';
import { PassiveOpens } from './passive-opens.ts';
import { procSource } from './proc-source.ts';
import { Services } from './services.ts';
import type { ListenerSource } from './source.ts';
import { WatchedQueues } from './watched-queues.ts';

const options = {
  source: fileOnly(
    choiceOption({
      help: 'Where to read listening sockets: the kernel by netlink (sock_diag), or /proc/net/tcp and ss. auto is netlink where it works.',
      default: 'auto',
      choices: ['auto', 'netlink', 'proc'],
    }),
  ),
  ...samplerOptions('all accept queues', 20, 1000),
  include: patternOption({ help: 'Listeners to export, matched as ADDRESS:PORT; all where not given.' }),
  exclude: patternOption({ help: 'Listeners to leave out, matched as ADDRESS:PORT.' }),
};

const chooseSource = (
  wanted: 'auto' | ListenerSource['name'],
  isWanted: ((listener: ListenAddress) => boolean) | undefined,
  host: Host,
  log: Log,
): ListenerSource => {
  const netlink = netlinkSource(isWanted);
  if (wanted === 'netlink') return netlink;
  if (wanted === 'proc') return procSource(host, 'collector.listeners.source is proc', isWanted);
  try {
    netlink.read(host, uncounted);
    return netlink;
  } catch (error) {
    const why = (error as Error).message;
    log.info('Reading listening sockets from /proc', { reason: why });
    return procSource(host, why, isWanted);
  }
};

const wildcards = { ipv4: '0.0.0.0', ipv6: '::' } as const;

/**
 * Counts the connections in the handshake by the listener that they came to: that of their address, else the
 * wildcard's.
 */
const countSynQueues = (rows: readonly SynRecvSocket[], listeners: readonly Listener[]): Map<Listener, number> => {
  const byKey = new Map(listeners.map((listener) => [addressKey(listener), listener]));
  const lengths = new Map(listeners.map((listener) => [listener, 0]));
  for (const row of rows) {
    const listener = byKey.get(addressKey(row)) ?? byKey.get(addressKey({ ...row, address: wildcards[row.family] }));
    if (listener) lengths.set(listener, lengths.get(listener)! + 1);
  }
  return lengths;
};

/** A listener of this scrape, with its namespace. */
interface FoundListener {
  readonly watched: WatchedQueues;
  readonly listener: Listener;
  readonly synQueueLength: number | undefined;
}

/** Says whose most of these are. */
const mostOf = (leftOut: readonly FoundListener[]): string => {
  if (leftOut.length === 0) return 'more sockets than can be followed';
  const nameOf = ({ watched: { netns }, listener: { uid } }: FoundListener): string =>
    `of user ${uid ?? '(unknown)'}${netns && ` in ${netns}`}`;
  const [[name, { length }]] = [...Map.groupBy(leftOut, nameOf)].sort(([, a], [, b]) => b.length - a.length) as [
    [string, FoundListener[]],
  ];
  return `more series than --collector.max-series allows; ${length} are ${name}`;
};

/** Every listening socket's accept queue: the last hop, and the one that refuses. */
export const listeners = defineCollector({
  name: 'listeners',
  help: 'Accept queue and SYN queue of every listening TCP socket, sampled many times a second, from the kernel by netlink or from /proc/net/tcp and ss.',
  enabledByDefault: true,
  maxSeries: 12_000,
  options,
  metrics: Object.values(metrics),
  create: ({ options, host, log, namespaces }) => {
    const isWanted = ({ address, port }: ListenAddress): boolean => {
      const name = `${address}:${port}`;
      return (options.include?.test(name) ?? true) && !options.exclude?.test(name);
    };
    const isChoosy = options.include !== undefined || options.exclude !== undefined;
    const source = chooseSource(options.source, isChoosy ? isWanted : undefined, host, log);
    const { readIn } = source;
    const hertz = options['sampler-hertz'];
    const isSampled = hertz > 0;
    const opens = isSampled ? new PassiveOpens(host.procfs) : undefined;
    const hasMoved = (): boolean => opens?.haveGrown() ?? false;
    const own = new WatchedQueues({ netns: '', tenant: '', hertz, hasMoved }, host.clock);
    const inOthers = new WeakMap<NetworkNamespace, WatchedQueues>();
    const services = new Services(host.sysfs, host.clock);
    let tooMany: string | undefined;

    /** The other network namespaces, with what is known of their queues for as long as they live. */
    const watchedOthers = (): [NetworkNamespace, WatchedQueues][] =>
      (readIn === undefined ? [] : namespaces.others).map((namespace) => {
        const { name: netns, tenant } = namespace;
        const watched = inOthers.get(namespace) ?? new WatchedQueues({ netns, tenant, hertz }, host.clock);
        inOthers.set(namespace, watched);
        return [namespace, watched];
      });

    const addSampled = (out: Output, labels: Labels<(typeof listenerLabels)[number]>, listener: Listener): void => {
      out.total(metrics.connectionSeconds, labels, listener.connectionSeconds);
      out.total(metrics.dequeued, labels, listener.dequeued);
      if (listener.queueLimit === undefined) return;
      out.total(metrics.fullSeconds, labels, listener.fullSeconds);
      out.histogram(metrics.fill, labels, listener.fill.read());
    };

    /** The listeners that a namespace has now, with the SYN queues that `readSynReceived` gives of these families. */
    const current = (
      out: Output,
      watched: WatchedQueues,
      readSynReceived: (families: IpFamily[]) => SynRecvSocket[] | undefined,
    ): FoundListener[] => {
      out.countResets(watched.queues.takeResets());
      const { listeners } = watched.queues;
      const synReceived = readSynReceived([...new Set(listeners.map(({ family }) => family))]);
      const synQueues = synReceived && countSynQueues(synReceived, listeners);
      return listeners.map((listener) => ({ watched, listener, synQueueLength: synQueues?.get(listener) }));
    };

    /** How many series `addListener` gives. */
    const seriesOf = ({ listener: { queueLimit, drops }, synQueueLength }: FoundListener): number => {
      const ofLimit = isSampled ? 3 + fillSeries : 2;
      const optional = (synQueueLength === undefined ? 0 : 1) + (drops === undefined ? 0 : 1);
      return 3 + optional + (isSampled ? 2 : 0) + (queueLimit === undefined ? 0 : ofLimit);
    };

    const addListener = (out: Output, { watched: { netns }, listener, synQueueLength }: FoundListener): void => {
      const { family, address, port } = listener;
      const labels = out.labels(listenerLabels, address, String(port), family, netns);
      const service = services.nameOf(listener.cgroupId);
      out.gauge(metrics.info, out.labels(metrics.info.labels, address, String(port), family, netns, service), 1);
      out.gauge(metrics.sockets, labels, listener.sockets);
      out.gauge(metrics.length, labels, listener.queueLength);
      out.gauge(metrics.limit, labels, listener.queueLimit);
      out.gauge(metrics.maxFill, labels, listener.maxFill);
      out.gauge(metrics.synQueueLength, labels, synQueueLength);
      out.total(metrics.drops, labels, listener.drops);
      if (isSampled) addSampled(out, labels, listener);
    };

    const addNamespaces = (out: Output): void => {
      const { read, unread, refused } = namespaces.count();
      const counts = readIn ? { read: 1 + read, unread, refused } : { read: 1, unread: read + unread, refused };
      for (const [state, count] of Object.entries(counts))
        out.gauge(metrics.namespaces, out.labels(metrics.namespaces.labels, state), count);
      for (const { name, state } of readIn ? namespaces.unread : namespaces.others) {
        const why = state === 'refused' ? state : 'unread';
        out.gauge(metrics.unreadNamespaces, out.labels(metrics.unreadNamespaces.labels, name, why), 1);
      }
    };

    /**
     * Adds the listeners that there is room for: if it is too little for all, the most important ones of each namespace
     * and user.
     */
    const addListeners = function* (
      out: Output,
      found: readonly FoundListener[],
      notFollowed: ReadonlyMap<WatchedQueues, number>,
    ): Generator<void> {
      const series = found.reduce((sum, each) => sum + seriesOf(each), 0);
      const keys = [({ watched }: FoundListener) => watched.tenant, ({ watched }: FoundListener) => watched];
      const inOrder = series <= out.room ? found : byImportance(found, ({ listener }) => listener, keys);
      const leftOut = yield* out.addWhole(inOrder, seriesOf, (each) => addListener(out, each));
      const counts = new Map([...notFollowed].filter(([, sockets]) => sockets > 0));
      for (const { watched } of found) counts.set(watched, notFollowed.get(watched) ?? 0);
      const beyond = [...counts.values()].reduce((sum, count) => sum + count, 0);
      for (const { watched } of leftOut) counts.set(watched, counts.get(watched)! + 1);
      for (const [{ netns }, count] of counts)
        out.gauge(metrics.leftOut, out.labels(metrics.leftOut.labels, netns), count);
      const missing = beyond + leftOut.length;
      tooMany = missing === 0 ? undefined : `${missing} of ${beyond + found.length} listeners: ${mostOf(leftOut)}`;
    };

    return {
      availability: () => (source.name === 'netlink' ? true : needs(host.procfs, 'net/tcp')),
      limitations: () =>
        [source.limitations, namespaces.limitations(), tooMany].filter(Boolean).join('; ') || undefined,
      collect: function* ({ host, out }) {
        own.queues.observe(source.read(host, out), host.clock.monotonicSeconds());
        const notFollowed = new Map([[own, source.leftOut?.() ?? 0]]);
        const found = current(out, own, (families) => source.readSynReceived?.(host, families));
        const others = watchedOthers();
        for (const [namespace, watched] of others) {
          yield;
          const read = (entered: EnteredNamespace): void => {
            watched.queues.observe(readIn!(host, entered, others.length), host.clock.monotonicSeconds());
            notFollowed.set(watched, source.leftOut?.(entered) ?? 0);
            found.push(...current(out, watched, (families) => source.readSynReceived?.(host, families, entered)));
          };
          readItem(out, () => namespace.read(read));
        }
        out.gauge(metrics.source, out.labels(metrics.source.labels, source.name), 1);
        if (namespaces.areWanted) addNamespaces(out);
        yield* addListeners(out, found, notFollowed);
      },
      sampler: {
        name: 'listeners',
        hertz,
        cpuBudget: options['sampler-cpu-budget'],
        sample: (seconds) => {
          own.sample(
            seconds,
            () => source.read(host, uncounted),
            source.readFew && ((few) => source.readFew!(host, few)),
          );
          let isActive = own.attention.isActive;
          const others = watchedOthers();
          for (const [namespace, watched] of others) {
            const readBy = (read: (entered: EnteredNamespace) => ListenerSocket[]) =>
              readItem(uncounted, () => namespace.read(read));
            watched.sample(
              seconds,
              () => readBy((entered) => readIn!(host, entered, others.length)),
              source.readFew && ((few) => readBy((entered) => source.readFew!(host, few, entered))),
            );
            isActive ||= watched.attention.isActive;
          }
          return isActive;
        },
      },
      background: [...(source.background ? [source.background] : []), ...namespaces.background],
    };
  },
});
