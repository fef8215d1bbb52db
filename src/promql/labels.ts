/** Separates the parts of a key. Decoded UTF-8 never holds a lone surrogate, so no label value does. */
const separator = '\ud800';

/** Labels of a series. The metric name is no label here, and a label that is empty is missing. */
export class Labels {
  /** Names and values in turn, sorted by name. */
  readonly pairs: readonly string[];
  #key: string | undefined;

  private constructor(pairs: readonly string[]) {
    this.pairs = pairs;
  }

  static of(labels: Iterable<readonly [name: string, value: string]>): Labels {
    const present = [...labels].filter(([, value]) => value !== '');
    return new Labels(present.sort(([one], [other]) => (one < other ? -1 : 1)).flat());
  }

  /** Equal for equal labels only. */
  get key(): string {
    return (this.#key ??= this.pairs.join(separator));
  }

  /** The value of a label. Empty if it is missing. */
  get(name: string): string {
    const { pairs } = this;
    for (let at = 0; at < pairs.length; at += 2) if (pairs[at] === name) return pairs[at + 1]!;
    return '';
  }

  keep(names: readonly string[]): Labels {
    return this.#filter((name) => names.includes(name));
  }

  drop(names: readonly string[]): Labels {
    return names.length === 0 ? this : this.#filter((name) => !names.includes(name));
  }

  /** Sets a label; an empty value removes it. */
  with(name: string, value: string): Labels {
    const { pairs } = this.drop([name]);
    if (value === '') return new Labels(pairs);
    let at = 0;
    while (at < pairs.length && pairs[at]! < name) at += 2;
    return new Labels(pairs.toSpliced(at, 0, name, value));
  }

  /** Equal only if these labels have equal values. */
  keyOf(names: readonly string[]): string {
    let key = '';
    for (const name of names) key += this.get(name) + separator;
    return key;
  }

  #filter(isKept: (name: string) => boolean): Labels {
    return new Labels(this.pairs.filter((_, at) => isKept(this.pairs[at - (at % 2)]!)));
  }
}

/** A value of a series at one time. */
export interface Sample {
  /** The name of the metric. Empty after a calculation. */
  name: string;
  labels: Labels;
  value: number;
}

/** Equal for equal names and labels only. */
export const seriesKey = ({ name, labels }: Sample): string => name + separator + labels.key;
