import fc from 'fast-check';
import { expect, test } from 'vitest';
import { inTurns, userOf } from '../../src/sources/fair-share.ts';

test('groups take turns, and so do the groups in them', () => {
  const items = ['a x 1', 'a x 2', 'a y 1', 'b x 1', 'a x 3', 'c z 1', 'b x 2'];
  const part = (index: number) => (item: string) => item.split(' ')[index];
  expect(inTurns(items, [part(0), part(1)])).toEqual(['a x 1', 'b x 1', 'c z 1', 'a y 1', 'b x 2', 'a x 2', 'a x 3']);
});

test('every beginning is shared fairly: a group that has more waiting is at most one behind any other', () => {
  const items = fc.array(fc.record({ group: fc.nat({ max: 5 }), id: fc.nat() }), { maxLength: 60 });
  fc.assert(
    fc.property(items, fc.nat({ max: 60 }), (items, room) => {
      const order = inTurns(items, [({ group }) => group]);
      expect(new Set(order)).toEqual(new Set(items));
      const count = (all: readonly { group: number }[], group: number) =>
        all.filter((item) => item.group === group).length;
      const chosen = order.slice(0, room);
      const groups = [...new Set(items.map(({ group }) => group))];
      const waiting = groups.filter((group) => count(chosen, group) < count(items, group));
      for (const group of waiting) {
        for (const other of groups) expect(count(chosen, other)).toBeLessThanOrEqual(count(chosen, group) + 1);
      }
      for (const group of groups) {
        const ids = (all: readonly { group: number; id: number }[]) => all.filter((item) => item.group === group);
        expect(ids(order)).toEqual(ids(items));
      }
    }),
  );
});

test('subordinate uids are few users, however many there are', () => {
  const users = new Set(Array.from({ length: 65_536 }, (_, i) => userOf(100_000 + i)));
  expect(users.size).toBe(2);
  expect([userOf(0), userOf(1000), userOf(65_535)]).toEqual([0, 1000, 65_535]);
});
