import { unique } from './binary.ts';
import type { Labels, Sample } from './labels.ts';
import type { AlertingRule } from './tree.ts';

/** The series in which Prometheus has its alerts. */
export const alertsName = 'ALERTS';

interface ActiveAlert {
  labels: Labels;
  since: number;
  isFiring: boolean;
  /** Since when a firing alert has no result any more. */
  keptSince?: number;
}

/** The alerts of a rule that are pending or fire, as rules/alerting.go of Prometheus has them. */
export class ActiveAlerts {
  readonly #rule: AlertingRule;
  #active = new Map<string, ActiveAlert>();

  constructor(rule: AlertingRule) {
    this.#rule = rule;
  }

  /**
   * Takes the results of the expression at a time, and returns the series ALERTS. Throws an EvaluationError if two
   * results are the same alert.
   */
  update(results: readonly Sample[], time: number): Sample[] {
    const found = unique(
      results.map((sample) => ({ ...sample, name: '', labels: this.#labelsOf(sample) })),
      'vector contains metrics with the same labelset after applying alert labels',
    );
    const active = new Map<string, ActiveAlert>();
    for (const { labels } of found) {
      const { since = time, isFiring = false } = this.#active.get(labels.key) ?? {};
      active.set(labels.key, { labels, since, isFiring: isFiring || time - since >= this.#rule.forMs });
    }
    for (const [key, alert] of this.#active) {
      const { keptSince = time } = alert;
      if (!active.has(key) && alert.isFiring && time - keptSince < this.#rule.keepFiringForMs)
        active.set(key, { ...alert, keptSince });
    }
    this.#active = active;
    return [...active.values()].map(({ labels, isFiring }) => ({
      name: alertsName,
      labels: labels.with('alertstate', isFiring ? 'firing' : 'pending'),
      value: 1,
    }));
  }

  #labelsOf({ labels }: Sample): Labels {
    const own = Object.entries(this.#rule.labels).reduce((all, [name, value]) => all.with(name, value), labels);
    return own.with('alertname', this.#rule.alert);
  }
}
