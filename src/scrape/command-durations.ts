import type { Families } from '../metrics/families.ts';
import { Histogram } from '../metrics/histogram.ts';
import { LabelSets } from '../metrics/labels.ts';
import { metrics } from './exporter-metrics.ts';

const bounds = ['0.005', '0.01', '0.025', '0.05', '0.1', '0.25', '0.5', '1.0', '2.5', '5.0', '10.0', '+Inf'] as const;

/** Durations of commands by name. */
export class CommandDurations {
  readonly #histograms = new Map<string, Histogram>();
  readonly #labels = new LabelSets(metrics.commandDuration.labels);

  observe(command: string, seconds: number): void {
    const histogram = this.#histograms.get(command) ?? new Histogram(bounds);
    this.#histograms.set(command, histogram);
    histogram.observe(seconds);
  }

  addTo(out: Families): void {
    for (const [command, histogram] of this.#histograms) {
      out.addHistogram(metrics.commandDuration, this.#labels.get(command), histogram.read());
    }
  }
}
