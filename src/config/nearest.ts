/** Levenshtein distance: the least number of insertions, removals and changes. */
const distance = (a: string, b: string): number => {
  let row = Array.from({ length: b.length + 1 }, (_, column) => column);
  for (let i = 1; i <= a.length; i += 1) {
    const next = [i];
    for (let j = 1; j <= b.length; j += 1) {
      const changed = row[j - 1]! + (a[i - 1] === b[j - 1] ? 0 : 1);
      next.push(Math.min(changed, row[j]! + 1, next[j - 1]! + 1));
    }
    row = next;
  }
  return row[b.length]!;
};

const mostFaults = 2;
const longestName = 60;
// Other programs write `listen_address` and `listenAddress`.
const plain = (name: string): string => name.toLowerCase().replace(/[-_.]/g, '');

/** Returns the name most similar to `given`; undefined if none is similar. */
export const nearest = (given: string, names: readonly string[]): string | undefined => {
  if (given.length > longestName) return undefined;
  const [best] = names
    .map((name) => ({ name, faults: distance(plain(given), plain(name)) }))
    .sort((a, b) => a.faults - b.faults);
  return best && best.faults <= Math.min(mostFaults, Math.floor(given.length / 3)) ? best.name : undefined;
};
