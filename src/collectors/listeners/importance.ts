import { inTurns, userOf } from '../../sources/fair-share.ts';
import type { Listener } from './listener.ts';

/**
 * Puts listeners first that ever had drops or a connection in the queue, then those that other machines can reach, then
 * the oldest.
 */
const compare = (a: Listener, b: Listener): number =>
  Number(b.wasBusy) - Number(a.wasBusy) || Number(a.isLoopback) - Number(b.isLoopback) || a.firstId - b.firstId;

/**
 * Orders listeners by importance, so that the first ones can be kept when there is no room for all. Each group of
 * `keys` has a fair share, and in it each user, because any user can listen on thousands of ports and let connections
 * wait there.
 */
export const byImportance = <Item>(
  items: readonly Item[],
  listenerOf: (item: Item) => Listener,
  keys: readonly ((item: Item) => unknown)[] = [],
): Item[] => {
  const userOfItem = (item: Item): number | undefined => {
    const { uid } = listenerOf(item);
    return uid === undefined ? undefined : userOf(uid);
  };
  const sorted = items.toSorted((a, b) => compare(listenerOf(a), listenerOf(b)));
  return inTurns(sorted, [...keys, userOfItem]);
};
