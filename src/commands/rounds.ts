import { setTimeout } from 'node:timers/promises';
import type { CompiledPack } from '../diagnosis/compiled-pack.ts';
import { hostMetric, thisMachine, type Target } from '../diagnosis/target.ts';
import type { Unseen, Verdict } from '../diagnosis/verdict.ts';
import { Watch } from '../diagnosis/watch.ts';
import type { CollectorStatus } from '../scrape/collector-run.ts';
import type { Machine } from './machine.ts';
import { readPeer, type Peer, type PeerAccess } from './peers.ts';

const timeoutSeconds = 10;

/** An exporter that doctor reads. */
export interface Source {
  /** For messages. */
  name: string;
  /** Rejects with an Error that says what is wrong. */
  read(): Promise<{ target: Target; page: string }>;
}

/** An exporter on the network. `signal` ends a reading. */
export const peerSource = (peer: Peer, access: PeerAccess, signal: AbortSignal): Source => ({
  name: peer.instance,
  read: async () => ({ target: peer, page: await readPeer(peer, access, { seconds: timeoutSeconds, signal }) }),
});

/** The collectors of this machine. */
export const localSource = ({ scraper }: Machine): Source => ({
  name: 'this machine',
  read: async () => {
    const page = await scraper.exposition({ format: 'text', encoding: 'identity', timeoutSeconds });
    if (page === undefined) throw new Error('its collectors did not end in time');
    const text = page.toString();
    return { target: thisMachine(hostMetric.test(text)), page: text };
  },
});

/**
 * Why readings of this machine are incomplete: collectors that fail or do not apply here. Those with the same reason
 * share a line.
 */
export const localProblems = (collectors: readonly CollectorStatus[]): Unseen[] => {
  const problems = collectors.flatMap(({ name, availability, limitations, error }) => {
    if (availability !== true) return [{ kind: 'collector', name, why: availability.reason }];
    if (error !== undefined) return [{ kind: 'collector', name, why: error }];
    return limitations === undefined ? [] : [{ kind: 'part of collector', name, why: limitations }];
  });
  return [...Map.groupBy(problems, ({ kind, why }) => `${kind} ${why}`).values()].map((same) => ({
    what: `${same[0]!.kind} ${same.map(({ name }) => name).join(', ')}`,
    why: same[0]!.why,
  }));
};

/** Reads sources again and again into a watch. */
export class Rounds {
  readonly #watch: Watch;
  readonly #sources: readonly Source[];
  /** The error of the last reading of a source, by its name. */
  readonly #problems = new Map<string, string>();
  readonly #underWay = new Map<string, Promise<void>>();
  readonly #targets = new Map<string, Target>();

  constructor(pack: CompiledPack, sources: readonly Source[], windowSeconds: number) {
    this.#sources = sources;
    this.#watch = new Watch(pack, { windowSeconds });
  }

  /** Reads each source that is not still being read, and evaluates the rules. A source that hangs holds up no other. */
  async once(patienceSeconds: number): Promise<void> {
    for (const source of this.#sources) {
      if (this.#underWay.has(source.name)) continue;
      const reading = this.#read(source).finally(() => this.#underWay.delete(source.name));
      this.#underWay.set(source.name, reading);
    }
    const all = Promise.all(this.#underWay.values());
    const waiting = new AbortController();
    const patience = setTimeout(patienceSeconds * 1e3, undefined, { signal: waiting.signal }).catch(() => {});
    await Promise.race([all, patience]);
    waiting.abort();
    this.#watch.step(Date.now());
  }

  /** Returns the verdict. `unseen` is what else could not be read. */
  verdict(unseen: readonly Unseen[]): Verdict {
    const problems = [...this.#problems].map(([what, why]) => ({ what, why }));
    const hanging = [...this.#underWay.keys()]
      .filter((name) => !this.#targets.has(name) && !this.#problems.has(name))
      .map((what) => ({ what, why: 'no answer yet' }));
    return this.#watch.verdict([...problems, ...hanging, ...unseen]);
  }

  async #read({ name, read }: Source): Promise<void> {
    try {
      const { target, page } = await read();
      this.#watch.observe(target, page, Date.now());
      this.#targets.set(name, target);
      this.#problems.delete(name);
    } catch (error) {
      this.#problems.set(name, (error as Error).message);
      const target = this.#targets.get(name);
      if (target) this.#watch.lose(target, Date.now());
    }
  }
}
