import type { Bounds } from './bounds.ts';
import type { CounterWidth } from './counter-step.ts';

export type MetricType = 'counter' | 'gauge' | 'histogram';

/** The text of a metric's HELP, in fields. */
export interface Meaning<Label extends string> {
  /** What the metric is and its unit, in sentences. */
  readonly meaning: string;
  readonly labels?: readonly Label[];
  /** Kernel file, tool or system call of the readings; a clause without a full stop. */
  readonly source?: string;
  /** Releases of kernel, Xen or tool that the source was checked with or that have it: `checked with Linux 6.1`. */
  readonly versions?: string;
  /** Further requirements of the source: privilege, kernel setting. */
  readonly notes?: string;
}

/** Plausible readings of a counter. */
export interface CounterBehaviour {
  /** Width of the kernel's counter; absent if it is not a kernel counter. */
  readonly wraps?: CounterWidth;
  readonly bounds: Bounds;
}

/** Name, meaning and labels of a metric; known without running anything. */
export interface Descriptor<Label extends string = string> extends Meaning<Label> {
  readonly name: string;
  readonly type: MetricType;
  readonly labels: readonly Label[];
  /** The HELP text: meaning, source, versions and notes. */
  readonly help: string;
}

/** A counter that the kernel, Xen or a tool keeps. */
export interface CounterDescriptor<Label extends string = string> extends Descriptor<Label>, CounterBehaviour {}

const helpOf = ({ meaning, source, versions, notes }: Meaning<string>): string => {
  const inBrackets = [versions, notes].filter(Boolean).join('; ');
  return source === undefined ? meaning : `${meaning} Source: ${source}${inBrackets && ` (${inBrackets})`}.`;
};

const describe =
  (type: MetricType) =>
  <const Label extends string = never>(name: string, meaning: Meaning<Label>): Descriptor<Label> => ({
    ...meaning,
    name,
    type,
    labels: meaning.labels ?? [],
    help: helpOf(meaning),
  });

/** A value that goes up and down. */
export const gauge = describe('gauge');
/** Observations counted in cumulative buckets. */
export const histogram = describe('histogram');
/** A total that the exporter keeps. It only grows while its series lives. By convention its name ends in `_total`. */
export const total = describe('counter');
/** A counter that is read, with its plausible readings. By convention its name ends in `_total`. */
export const counter = <const Label extends string = never>(
  name: string,
  { wraps, bounds, ...meaning }: Meaning<Label> & CounterBehaviour,
): CounterDescriptor<Label> => ({ ...total(name, meaning), ...(wraps && { wraps }), bounds });
