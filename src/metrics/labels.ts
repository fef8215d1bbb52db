/** The label values of one series. The same object stands for the same series in every scrape: the encoder caches its text by identity. */
export type Labels<Label extends string = string> = Readonly<Record<Label, string>>;

/** The labels of a metric that has none. */
export const noLabels: Labels<never> = {};

/** A label value as the exposition formats can carry it: valid Unicode without NUL, each bad character replaced by U+FFFD. */
export const labelValue = (text: string): string => text.replaceAll('\0', '\ufffd').toWellFormed();

const isClean = (text: string): boolean => !text.includes('\0') && text.isWellFormed();

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
    const clean = values.every(isClean) ? values : values.map(labelValue);
    const key = clean.join('\0');
    const known = this.#current.get(key) ?? this.#previous.get(key);
    const labels = known ?? (Object.fromEntries(this.#names.map((name, i) => [name, clean[i] ?? ''])) as Labels<Label>);
    this.#current.set(key, labels);
    return labels;
  }

  /** Forgets the label objects that nobody asked for since the last call. */
  sweep(): void {
    this.#previous = this.#current;
    this.#current = new Map();
  }
}
