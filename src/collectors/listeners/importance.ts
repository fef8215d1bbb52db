import { inTurns, userOf } from '../../sources/fair-share.ts';
import type { Listener } from './listener.ts';

/** Those that ever had drops or a connection in the queue first, then those that others than this machine can reach, then the oldest. */
const compare = (a: Listener, b: Listener): number =>
  Number(b.wasBusy) - Number(a.wasBusy) || Number(a.isLoopback) - Number(b.isLoopback) || a.firstId - b.firstId;

/**
 * Orders listeners, for when there is room for so many only: by importance, with a fair share for each user, and before that for each group of `keys`. Any
 * user can listen on thousands of ports, and let connections wait there.
 */
export const byImportance = <Item>(
  items: readonly Item[],
  listenerOf: (item: Item) => Listener,
  keys: readonly ((item: Item) => unknown)[] = [],
): Item[] => {
  const userOfItem = (item: Item): string | undefined => {
    const { uid } = listenerOf(item);
    return uid === undefined ? undefined : userOf(uid);
  };
  const sorted = items.toSorted((a, b) => compare(listenerOf(a), listenerOf(b)));
  return inTurns(sorted, [...keys, userOfItem]);
};
