import { setImmediate } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { until } from '../../tools/lib/until.ts';
import { Turns } from '../../src/web/turns.ts';

/** Work that records its name and takes this many milliseconds. */
const setUp = (milliseconds = 0) => {
  const turns = new Turns();
  const done: string[] = [];
  const take = (client: string, connection: object, name: string) =>
    turns.take(client, connection, () => {
      done.push(name);
      for (const begin = performance.now(); performance.now() - begin < milliseconds;);
    });
  return { done, take };
};

test('clients take turns, and so do the connections of a client', async () => {
  const { done, take } = setUp();
  const [a, b, c] = [{}, {}, {}];
  for (const i of [1, 2, 3]) take('many', a, `a${i}`);
  for (const i of [1, 2]) take('many', b, `b${i}`);
  take('few', c, 'c1');
  expect(done).toEqual([]);
  await until('all', () => done.length === 6);
  expect(done).toEqual(['a1', 'c1', 'b1', 'a2', 'b2', 'a3']);
});

test('a client that comes when many wait has its turn before they are done', async () => {
  const { done, take } = setUp(1);
  const connections = Array.from({ length: 10 }, () => ({}));
  for (const connection of connections) for (let i = 0; i < 10; i += 1) take('many', connection, 'many');
  await until('the first', () => done.length > 0);
  const before = done.length;
  take('few', {}, 'few');
  await until('it', () => done.includes('few'));
  expect(done.indexOf('few')).toBeLessThanOrEqual(before + 1);
});

test('other work of the process goes on meanwhile', async () => {
  const { done, take } = setUp(1);
  for (let i = 0; i < 50; i += 1) take('many', {}, 'many');
  await setImmediate();
  await setImmediate();
  expect(done.length).toBeLessThan(20);
  await until('all', () => done.length === 50);
});
