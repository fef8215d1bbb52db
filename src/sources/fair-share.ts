/**
 * Orders items so that every beginning of the list is shared fairly: groups take turns, each with its first items first, and so do the groups in a
 * group. `keys` give the groups of an item, the largest first. Where only so many items have room, no group takes the room of others, and what a group
 * does not need goes to the rest.
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
 * The user behind a uid, as a number of its own. uids from 65536 on are subordinate ones (subuid(5)), of which one user has thousands for containers of his
 * own: all in a block of 65536 count as one user.
 */
export const userOf = (uid: number): number => (uid < uidsOfOneUser ? uid : -Math.floor(uid / uidsOfOneUser));
