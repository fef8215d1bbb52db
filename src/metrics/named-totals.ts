/** Totals over windows. */
export interface Totals {
  addAll(other: this): void;
}

// A guest that reboots is back within a few windows.
const windowsRemembered = 60;

interface Remembered<Value> {
  readonly totals: Value;
  /** Windows since the domain was last on the list. */
  missed: number;
}

const age = <Key, Value>(all: Map<Key, Remembered<Value>>): void => {
  for (const [key, entry] of all) {
    entry.missed += 1;
    if (entry.missed > windowsRemembered) all.delete(key);
  }
};

/**
 * Totals by the name of the domain, so that they go on when a guest reboots and has another domid. What is seen of a domain before its name is
 * known is kept until it is.
 */
export class NamedTotals<Value extends Totals> {
  readonly #byName = new Map<string, Remembered<Value>>();
  readonly #unnamed = new Map<number, Remembered<Value>>();

  /** Adds what a window showed of each domain, by domid. */
  add(window: ReadonlyMap<number, Value>): void {
    age(this.#byName);
    age(this.#unnamed);
    for (const [domid, totals] of window) {
      const known = this.#unnamed.get(domid);
      if (known) known.totals.addAll(totals);
      else this.#unnamed.set(domid, { totals, missed: 0 });
    }
  }

  /** The totals of the domains that there are now. `names`: by domid. */
  of(names: ReadonlyMap<number, string>): Map<string, Value> {
    const current = new Map<string, Value>();
    for (const [domid, name] of names) {
      const entry = this.#adopt(domid, name);
      if (!entry) continue;
      entry.missed = 0;
      current.set(name, entry.totals);
    }
    return current;
  }

  #adopt(domid: number, name: string): Remembered<Value> | undefined {
    const known = this.#byName.get(name);
    const fresh = this.#unnamed.get(domid);
    if (!fresh) return known;
    this.#unnamed.delete(domid);
    if (known) known.totals.addAll(fresh.totals);
    else this.#byName.set(name, fresh);
    return known ?? fresh;
  }
}
