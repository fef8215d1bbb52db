import { printable } from '../formats/printable.ts';

/** Label values of one series. Every scrape reuses the same object, because the encoder caches its text by identity. */
export type Labels<Label extends string = string> = Readonly<Record<Label, string>>;

/** Labels of a metric without labels. */
export const noLabels: Labels<never> = {};

interface Leaf<Label extends string> {
  readonly labels: Labels<Label>;
  /** The last round that requested it. */
  round: number;
}

/** Subtree for each value of the next label. */
type Branch<Label extends string> = Map<string, Branch<Label> | Leaf<Label>>;

/**
 * Label objects of live series. The lookup goes value by value: a joined key would allocate a string per series and
 * scrape.
 */
export class LabelSets<Label extends string> {
  readonly #names: readonly Label[];
  readonly #root: Branch<Label> = new Map();
  #round = 0;

  constructor(names: readonly Label[]) {
    this.#names = names;
  }

  /** Returns the label object for these values, in the order of the names. */
  get(...values: readonly string[]): Labels<Label> {
    return this.of(values);
  }

  /** Like `get`, with the values in an array. */
  of(values: readonly string[]): Labels<Label> {
    let branch = this.#root;
    const last = this.#names.length - 1;
    for (let i = 0; i < last; i += 1) {
      const value = values[i] ?? '';
      let next = branch.get(value) as Branch<Label> | undefined;
      if (!next) branch.set(value, (next = new Map()));
      branch = next;
    }
    const value = values[last] ?? '';
    let leaf = branch.get(value) as Leaf<Label> | undefined;
    if (!leaf) {
      const clean = values.map(printable);
      // Values that need cleaning are cached under their clean form only.
      if (clean.some((each, i) => each !== values[i])) return this.of(clean);
      branch.set(value, (leaf = { labels: this.#make(clean), round: this.#round }));
    }
    leaf.round = this.#round;
    return leaf.labels;
  }

  #make(values: readonly string[]): Labels<Label> {
    return Object.fromEntries(this.#names.map((name, i) => [name, values[i] ?? ''])) as Labels<Label>;
  }

  /** Forgets label objects that were not requested since the last call. */
  sweep(): void {
    this.#prune(this.#root);
    this.#round += 1;
  }

  #prune(branch: Branch<Label>): void {
    for (const [value, next] of branch) {
      if (next instanceof Map) this.#prune(next);
      if (next instanceof Map ? next.size === 0 : next.round < this.#round) branch.delete(value);
    }
  }
}
