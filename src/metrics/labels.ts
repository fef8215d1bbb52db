/** The label values of one series. The same object stands for the same series in every scrape: the encoder caches its text by identity. */
export type Labels<Label extends string = string> = Readonly<Record<Label, string>>;

/** The labels of a metric that has none. */
export const noLabels: Labels<never> = {};

/** A label value as the exposition formats can carry it: valid Unicode without NUL, each bad character replaced by U+FFFD. */
export const labelValue = (text: string): string => text.replaceAll('\0', '\ufffd').toWellFormed();

const keyOf = (values: readonly string[]): string => values.join('\0');

/** The label objects of the series that live now. */
export class LabelSets<Label extends string> {
  readonly #names: readonly Label[];
  #current = new Map<string, Labels<Label>>();
  #previous = new Map<string, Labels<Label>>();

  constructor(names: readonly Label[]) {
    this.#names = names;
  }

  /** The label object for these values, in the order of the names. */
  get(...values: readonly string[]): Labels<Label> {
    return this.of(values);
  }

  /** As `get`, with the values in an array. */
  of(values: readonly string[]): Labels<Label> {
    // Keys that are kept are made of clean values: one with a NUL too many is none of them.
    return this.#find(keyOf(values)) ?? this.#make(values.map(labelValue));
  }

  #find(key: string): Labels<Label> | undefined {
    const current = this.#current.get(key);
    if (current) return current;
    const previous = this.#previous.get(key);
    if (previous) this.#current.set(key, previous);
    return previous;
  }

  #make(clean: readonly string[]): Labels<Label> {
    const key = keyOf(clean);
    const known = this.#find(key);
    if (known) return known;
    const labels = Object.fromEntries(this.#names.map((name, i) => [name, clean[i] ?? ''])) as Labels<Label>;
    this.#current.set(key, labels);
    return labels;
  }

  /** Forgets the label objects that nobody asked for since the last call. */
  sweep(): void {
    this.#previous = this.#current;
    this.#current = new Map();
  }
}
