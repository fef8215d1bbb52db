/**
 * Orders items so that every prefix of the list is fair: groups take turns, each with its first items first, and so do
 * subgroups. `keys` return the groups of an item, the largest first. If room is limited, no group takes the room of
 * others, and unused room goes to the rest.
 */
export const inTurns = <Item>(items: readonly Item[], keys: readonly ((item: Item) => unknown)[]): Item[] => {
  const [key, ...others] = keys;
  if (key === undefined) return [...items];
  let groups = [...Map.groupBy(items, key).values()].map((group) => inTurns(group, others));
  const order: Item[] = [];
  for (let round = 0; groups.length > 0; round += 1) {
    order.push(...groups.map((group) => group[round]!));
    groups = groups.filter(({ length }) => length > round + 1);
  }
  return order;
};

const uidsOfOneUser = 65_536;

/**
 * Maps a uid to a user, as a number. uids from 65536 on are subordinate (subuid(5)): one user has thousands for
 * containers, in blocks of 65536. Each block counts as one user.
 */
export const userOf = (uid: number): number => (uid < uidsOfOneUser ? uid : -Math.floor(uid / uidsOfOneUser));
