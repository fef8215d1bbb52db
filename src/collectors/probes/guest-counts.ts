import type { Descriptor } from '../../metrics/descriptor.ts';
import type { Totals } from '../../metrics/named-totals.ts';
import type { Output } from '../../metrics/output.ts';

/** A metric whose first label is `domain`. */
type GuestMetric = Descriptor;

const separator = '\0';

/** Counts of one domain, by metric and by the labels after `domain`. */
export class GuestCounts implements Totals {
  readonly #counts = new Map<GuestMetric, Map<string, number>>();

  /** `values` are the labels after `domain`. */
  add(metric: GuestMetric, values: readonly string[], count: number): void {
    let counts = this.#counts.get(metric);
    if (!counts) this.#counts.set(metric, (counts = new Map()));
    const key = values.join(separator);
    counts.set(key, (counts.get(key) ?? 0) + count);
  }

  addAll(other: GuestCounts): void {
    for (const { metric, values, count } of other.all()) this.add(metric, values, count);
  }

  *all(): Iterable<{ metric: GuestMetric; values: string[]; count: number }> {
    for (const [metric, counts] of this.#counts) {
      for (const [key, count] of counts) yield { metric, values: key.split(separator), count };
    }
  }

  /** Adds the counts to `out` for this domain. */
  addTo(out: Output, domain: string): void {
    for (const { metric, values, count } of this.all()) {
      out.total(metric, out.labels(metric.labels, domain, ...values), count);
    }
  }
}
