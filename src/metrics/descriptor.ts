import type { Bounds } from './bounds.ts';
import type { CounterWidth } from './counter-step.ts';

export type MetricType = 'counter' | 'gauge' | 'histogram';

/** Meaning of a metric. */
export interface Meaning<Label extends string> {
  /** Meaning and unit, in sentences. */
  readonly meaning: string;
  readonly labels?: readonly Label[];
  /** The kernel file, tool or system call that it comes from; a clause without a full stop. */
  readonly source?: string;
  /** The releases of kernel, Xen or tool that the source was checked with, or that have it: `checked with Linux 6.1`. */
  readonly versions?: string;
  /** Requirements of the source: a privilege, a setting of the kernel. */
  readonly notes?: string;
}

/** Kinds of counter readings. */
export interface CounterBehaviour {
  /** Width of the kernel's counter; absent if it is none of the kernel's. */
  readonly wraps?: CounterWidth;
  readonly bounds: Bounds;
}

/** Static description of a metric: name, meaning and labels. */
export interface Descriptor<Label extends string = string> extends Meaning<Label> {
  readonly name: string;
  readonly type: MetricType;
  readonly labels: readonly Label[];
  /** Its HELP: meaning, source, versions and notes. */
  readonly help: string;
}

/** A counter whose readings come from elsewhere: the kernel, Xen, a tool. */
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
/** A total that the exporter keeps itself, which only grows while its series lives. By convention its name ends in `_total`. */
export const total = describe('counter');
/** A counter that is read, and what its readings can do. By convention its name ends in `_total`. */
export const counter = <const Label extends string = never>(
  name: string,
  { wraps, bounds, ...meaning }: Meaning<Label> & CounterBehaviour,
): CounterDescriptor<Label> => ({ ...total(name, meaning), ...(wraps && { wraps }), bounds });
