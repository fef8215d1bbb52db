import { log2Of, type HistTable } from '../../formats/trace-hist.ts';
import type { Host } from '../../host/host.ts';
import type { Output } from '../../metrics/output.ts';
import { Histogram } from '../../metrics/histogram.ts';
import { noLabels } from '../../metrics/labels.ts';
import { vifDevices, type VifDevice } from '../../sources/backend-devices.ts';
import { uncounted } from '../../sources/parsed.ts';
import { NamedTotals } from '../../metrics/named-totals.ts';
import { eventChannels } from './event-channels.ts';
import type { ReadingDelta } from './reading-delta.ts';
import { GuestCounts } from './guest-counts.ts';
import { callBounds, metrics, waitBounds } from './metrics.ts';
import { delayFolder, grantOperations, probeFolder, probeSets, type ProbeSetName } from './probe-sets.ts';

/** TCP's own counts for the same time, in this network namespace. */
export interface TcpGrowth {
  readonly passiveOpens: number;
  /** Connections from SYN cookies and Fast Open. */
  readonly anotherWay: number;
}

/** Counts of one set over all windows. */
class SetTotals {
  armedSeconds = 0;
  dropped = 0;
  discarded = 0;
  readonly probes = new Map<string, { hits: number; missed: number }>();
}

const spurious = 1;
const firstNegative = 64;

const hitsOf = (tables: readonly HistTable[]): number => tables.reduce((sum, { hits }) => sum + hits, 0);

/** Counts of the probes since the exporter started. */
export class ProbeTotals {
  readonly #isEach: boolean;
  readonly #sets = new Map<ProbeSetName, SetTotals>();
  readonly #guests = new NamedTotals<GuestCounts>();
  /** Counts that no known guest owns. */
  readonly #nobodys = new GuestCounts();
  readonly #calls = new Map(grantOperations.map((operation) => [operation, new Histogram(callBounds)]));
  readonly #waits = new Histogram(waitBounds);
  #unmatched = 0;
  #passiveOpens = 0;

  /** `isEach` selects series per queue. */
  constructor(isEach: boolean) {
    this.#isEach = isEach;
  }

  /** Adds the counts of a window. Throws FileError or ParseError. */
  add(host: Pick<Host, 'procfs' | 'sysfs'>, deltas: ReadonlyMap<ProbeSetName, ReadingDelta>, tcp: TcpGrowth): void {
    const guests = new Map<number, GuestCounts>();
    const countsOf = (domid: number | undefined): GuestCounts => {
      if (domid === undefined) return this.#nobodys;
      let counts = guests.get(domid);
      if (!counts) guests.set(domid, (counts = new GuestCounts()));
      return counts;
    };
    const vifs = vifDevices(host.sysfs, uncounted);
    const channels = deltas.has('events') ? eventChannels(host) : new Map();
    for (const [name, delta] of deltas) {
      this.#addSet(name, delta);
      if (name === 'grants') this.#addGrants(delta, vifs, countsOf);
      if (name === 'events') this.#addEvents(delta, channels, countsOf);
      if (name === 'accept') this.#addAccepts(delta, tcp);
    }
    this.#guests.add(guests);
  }

  #of(name: ProbeSetName): SetTotals {
    let totals = this.#sets.get(name);
    if (!totals) this.#sets.set(name, (totals = new SetTotals()));
    return totals;
  }

  #addSet(name: ProbeSetName, { seconds, tables, probes }: ReadingDelta): void {
    const totals = this.#of(name);
    totals.armedSeconds += seconds;
    for (const { dropped } of [...tables.values()].flat()) totals.dropped += dropped;
    for (const [event, { hits, missed }] of probes) {
      const known = totals.probes.get(event) ?? { hits: 0, missed: 0 };
      totals.probes.set(event, { hits: known.hits + hits, missed: known.missed + missed });
    }
  }

  #addGrants(
    { tables }: ReadingDelta,
    vifs: readonly VifDevice[],
    countsOf: (domid: number | undefined) => GuestCounts,
  ): void {
    for (const operation of grantOperations) {
      const byThread = tables.get(probeFolder(operation))?.[0];
      for (const { keys, hits, sums } of byThread?.rows ?? []) {
        const counts = countsOf(vifOfThread(keys[0]!, vifs)?.domid);
        counts.add(metrics.calls, [operation], hits);
        counts.add(metrics.operations, [operation], sums.get('count') ?? 0);
      }
    }
    for (const [i, delay] of probeSets.grants.delays.entries()) {
      this.#observe('grants', tables.get(delayFolder(delay)), this.#calls.get(grantOperations[i]!)!);
    }
  }

  #addEvents(
    { tables }: ReadingDelta,
    channels: ReturnType<typeof eventChannels>,
    countsOf: (domid: number | undefined) => GuestCounts,
  ): void {
    const add = (event: string, metric: typeof metrics.sends | typeof metrics.lateEois): void => {
      for (const { keys, hits } of tables.get(probeFolder(event))?.[0]?.rows ?? []) {
        const [irq = '', flags] = keys;
        const { source, domid, vif, queue } = channels.get(irq) ?? { source: 'other', vif: '', queue: '' };
        const result = flags === undefined ? [] : [(Number(flags) & spurious) === 0 ? 'work' : 'spurious'];
        countsOf(domid).add(metric, [source, vif, this.#isEach ? queue : '', ...result], hits);
      }
    };
    add('send', metrics.sends);
    add('eoi', metrics.lateEois);
  }

  #addAccepts({ tables, probes }: ReadingDelta, { passiveOpens, anotherWay }: TcpGrowth): void {
    const [queue, add] = probeSets.accept.delays.map((delay) => tables.get(delayFolder(delay)) ?? []);
    const hits = (event: string): number => probes.get(event)?.hits ?? 0;
    // If the second function is not inlined, all connections pass it, and each would count twice.
    const allAreAdded = hits('add') >= hits('queue') && hits('add') > 2 * anotherWay;
    const counted = allAreAdded ? [add!] : [queue!, add!];
    for (const each of counted) this.#observe('accept', each, this.#waits);
    const accepted = tables.get(probeFolder('accept'))?.[0];
    const returned = (accepted?.hits ?? 0) + (accepted?.dropped ?? 0);
    this.#unmatched += Math.max(0, returned - hitsOf(counted.flat()));
    this.#passiveOpens += passiveOpens;
  }

  /** Keys are powers of two: bounds of the histogram, or below its first bound. */
  #observe(set: ProbeSetName, tables: readonly HistTable[] | undefined, histogram: Histogram): void {
    for (const { keys, hits, sums } of tables?.[0]?.rows ?? []) {
      const exponent = log2Of(keys[0]!);
      if (exponent >= firstNegative) this.#of(set).discarded += hits;
      else histogram.observeAll(2 ** exponent / 1e9, hits, (sums.get('ns') ?? 0) / 1e9);
    }
  }

  /** Adds the totals. `names` maps the domids of current guests to names. */
  addTo(out: Output, names: ReadonlyMap<number, string>): void {
    this.#nobodys.addTo(out, '');
    for (const [domain, counts] of this.#guests.of(names)) counts.addTo(out, domain);
    if (this.#sets.has('grants')) {
      for (const [operation, histogram] of this.#calls) {
        out.histogram(metrics.callDuration, out.labels(metrics.callDuration.labels, operation), histogram.read());
      }
    }
    if (this.#sets.has('accept')) {
      out.histogram(metrics.acceptWait, noLabels, this.#waits.read());
      out.total(metrics.unmatched, noLabels, this.#unmatched);
      out.total(metrics.passiveOpens, noLabels, this.#passiveOpens);
    }
    for (const [name, { armedSeconds, dropped, discarded, probes }] of this.#sets) {
      const labels = out.labels(metrics.armedSeconds.labels, name);
      out.total(metrics.armedSeconds, labels, armedSeconds);
      out.total(metrics.dropped, labels, dropped);
      out.total(metrics.discarded, labels, discarded);
      for (const { event, function: watched, at } of probeSets[name].probes) {
        const counts = probes.get(event);
        out.total(metrics.hits, out.labels(metrics.hits.labels, name, watched, at), counts?.hits);
        out.total(metrics.missed, out.labels(metrics.missed.labels, name, watched, at), counts?.missed);
      }
    }
  }
}

/**
 * Finds the owner of a thread such as `vif1.0-q0-guest [ 322]`. Names are cut to 15 characters. If the queue is cut
 * off, the owner is unknown.
 */
const vifOfThread = (thread: string, vifs: readonly VifDevice[]): VifDevice | undefined =>
  vifs.find(({ netDevice }) => netDevice !== undefined && thread.startsWith(`${netDevice}-q`));
