/** Totals that add up over windows. */
export interface Totals {
  addAll(other: this): void;
}

// A rebooting guest is back within a few windows.
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
 * Totals by domain name, so that they continue when a rebooted guest has a new domid. Readings of a domain without a
 * known name wait until it is known.
 */
export class NamedTotals<Value extends Totals> {
  readonly #byName = new Map<string, Remembered<Value>>();
  readonly #unnamed = new Map<number, Remembered<Value>>();

  /** Adds a window's readings by domid. */
  add(window: ReadonlyMap<number, Value>): void {
    age(this.#byName);
    age(this.#unnamed);
    for (const [domid, totals] of window) {
      const known = this.#unnamed.get(domid);
      if (known) known.totals.addAll(totals);
      else this.#unnamed.set(domid, { totals, missed: 0 });
    }
  }

  /** Totals of the current domains. `names` maps domids to names. */
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
