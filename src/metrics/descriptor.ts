export type MetricType = 'counter' | 'gauge' | 'histogram';

/** What a metric is called, means and is labelled with; known without running anything. `help` gives meaning, unit and source. */
export interface Descriptor<Label extends string = string> {
  readonly name: string;
  readonly help: string;
  readonly type: MetricType;
  readonly labels: readonly Label[];
}

const describe =
  (type: MetricType) =>
  <const Label extends string = never>(
    name: string,
    help: string,
    labels: readonly Label[] = [],
  ): Descriptor<Label> => ({ name, help, type, labels });

/** A value that only grows while its series lives. By convention its name ends in `_total`. */
export const counter = describe('counter');
/** A value that goes up and down. */
export const gauge = describe('gauge');
/** Observations counted in cumulative buckets. */
export const histogram = describe('histogram');
