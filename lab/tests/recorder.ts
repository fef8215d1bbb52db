import { setTimeout as delay } from 'node:timers/promises';
import type { Exposition, Sample } from '../../tools/lib/exposition.ts';
import { until } from '../../tools/lib/until.ts';
import { metricsOf } from '../harness/exporter.ts';
import type { Machine } from '../harness/machine.ts';

const INTERVAL_MS = 1000;
const XL_LIST = { command: 'xl list -v' };

/** Scrapes a machine once a second and records the results. */
export class Recorder implements AsyncDisposable {
  readonly pages: Exposition[] = [];
  /** Scrapes that failed or exceeded Prometheus's timeout. */
  readonly failures: string[] = [];
  readonly #machine: Machine;
  readonly #timeoutSeconds: number;
  readonly #stopped = new AbortController();
  readonly #ended: Promise<void>;

  constructor(machine: Machine, { timeoutSeconds }: { timeoutSeconds: number }) {
    this.#machine = machine;
    this.#timeoutSeconds = timeoutSeconds;
    this.#ended = this.#record();
  }

  /** The first future page that satisfies the condition. */
  async until(what: string, condition: (page: Exposition) => boolean, timeoutMs = 60_000): Promise<Exposition> {
    let next = this.pages.length;
    return until(
      what,
      () => {
        for (; next < this.pages.length; next += 1) if (condition(this.pages[next]!)) return this.pages[next]!;
        return undefined;
      },
      { timeoutMs, intervalMs: 50 },
    );
  }

  /** The first page with a list of domains that was requested after now. */
  async refreshed(): Promise<Exposition> {
    const runs = (page: Exposition): number => page.value('xen_exporter_command_duration_seconds_count', XL_LIST) ?? 0;
    const now = runs(await this.until('a page', () => true));
    // The next reading to end may have begun before.
    return this.until('a new list of domains', (page) => runs(page) >= now + 2);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stopped.abort();
    await this.#ended;
  }

  async #record(): Promise<void> {
    while (!this.#stopped.signal.aborted) {
      const begin = performance.now();
      try {
        this.pages.push(await metricsOf(this.#machine, this.#timeoutSeconds));
      } catch (error) {
        this.failures.push(`${new Date().toISOString()}: ${(error as Error).message}`);
      }
      const rest = Math.max(0, INTERVAL_MS - (performance.now() - begin));
      await delay(rest, undefined, { signal: this.#stopped.signal }).catch(() => {});
    }
  }
}

/** Metrics on a page with a series about this domain. */
export function metricsAbout(page: Exposition, domain: string): string[] {
  return [...page.families.keys()].filter((family) =>
    page.samples(family).some(({ labels }) => labels['domain'] === domain),
  );
}

/** Counters, including those of histograms, that went down between consecutive pages. */
export function decreases(pages: readonly Exposition[]): string[] {
  const found: string[] = [];
  let last = new Map<string, number>();
  for (const page of pages) {
    const now = new Map<string, number>();
    for (const { name, labels, value } of counted(page)) {
      const series = `${name}${JSON.stringify(labels)}`;
      now.set(series, value);
      const before = last.get(series);
      if (before !== undefined && value < before) found.push(`${series}: ${before}, then ${value}`);
    }
    last = now;
  }
  return found;
}

function* counted(page: Exposition): Generator<Sample> {
  for (const [family, { type }] of page.families) {
    const suffixes = type === 'counter' ? [''] : type === 'histogram' ? ['_bucket', '_count', '_sum'] : [];
    for (const suffix of suffixes) yield* page.samples(family + suffix);
  }
}
