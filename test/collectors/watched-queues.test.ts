import { expect, test } from 'vitest';
import type { Listener } from '../../src/collectors/listeners/listener.ts';
import { WatchedQueues } from '../../src/collectors/listeners/watched-queues.ts';
import type { ListenerSocket } from '../../src/formats/listener-socket.ts';
import { fakeClock } from '../../tools/lib/fake-host.ts';

const socket = (port: number, parts: Partial<ListenerSocket> = {}): ListenerSocket => ({
  family: 'ipv4',
  address: '0.0.0.0',
  port,
  id: port,
  uid: 1000,
  queueLength: 1,
  queueLimit: 9,
  drops: 0,
  ...parts,
});
const victim = socket(80, { uid: 0, queueLength: 10 });
const attack = Array.from({ length: 5000 }, (_, i) => socket(10_000 + i));

const dear = 1 / 256;
const cheap = dear / 32;

/** Queues of which a sample of all costs so much CPU time. */
const setUp = (allSeconds: number, first: readonly ListenerSocket[] = [...attack, victim]) => {
  let sockets = first;
  let cpuSeconds = 0;
  const clock = { ...fakeClock(), cpuSeconds: () => cpuSeconds };
  const watched = new WatchedQueues({ netns: '', tenant: '' }, clock);
  const kinds: string[] = [];
  let asked: readonly Listener[] = [];
  let error: Error | undefined;
  const sample = () => {
    clock.advance(0.1);
    watched.sample(
      () => {
        kinds.push('all');
        cpuSeconds += allSeconds;
        if (error) throw error;
        return sockets;
      },
      (listeners) => {
        kinds.push('few');
        cpuSeconds += cheap;
        asked = listeners;
        return sockets.filter(({ port }) => listeners.some((listener) => listener.port === port));
      },
    );
  };
  const listener = (port: number) => watched.queues.listeners.find((each) => each.port === port)!;
  return {
    sample,
    kinds,
    listener,
    asked: () => asked,
    fail: (next?: Error) => (error = next),
    set: (next: readonly ListenerSocket[]) => (sockets = next),
  };
};

test('samples of all that are cheap are always of all', () => {
  const { sample, kinds } = setUp(cheap);
  for (let i = 0; i < 5; i += 1) sample();
  expect(kinds).toEqual(Array(5).fill('all'));
});

test('of thousands of listeners the most important keep their rate, and the others are sampled with half of the time', () => {
  const { sample, kinds, listener, asked } = setUp(dear);
  for (let i = 0; i < 67; i += 1) sample();
  expect(kinds.join(' ')).toBe(`all ${'few '.repeat(32)}all ${'few '.repeat(32)}all`);
  expect(asked()).toHaveLength(64);
  const important = listener(80);
  expect(important.fill.read().buckets.at(-1)).toEqual({ le: '+Inf', count: 67 });
  expect(important.fullSeconds).toBeCloseTo(6.6);
  expect(important.connectionSeconds).toBeCloseTo(66);
  const other = listener(14_999);
  expect(asked()).not.toContain(other);
  expect(other.fill.read().buckets.at(-1)).toEqual({ le: '+Inf', count: 3 });
  expect(other.connectionSeconds).toBeCloseTo(6.6);
});

test('a listener of thousands of sockets (SO_REUSEPORT) is not among the few', () => {
  const shared = Array.from({ length: 5000 }, (_, i) => socket(8080, { id: 100_000 + i, queueLength: 9, uid: 1001 }));
  const { sample, asked } = setUp(dear, [...shared, victim, socket(443, { uid: 0 })]);
  sample();
  sample();
  expect(
    asked()
      .map(({ port }) => port)
      .sort(),
  ).toEqual([443, 80]);
});

test('the drops of a server that restarts between two samples of all go on; one that ends is gone', () => {
  const { sample, listener, kinds, set } = setUp(dear, [{ ...victim, drops: 5 }, socket(443)]);
  sample();
  set([{ ...victim, id: 81, drops: 2 }]);
  sample();
  expect(listener(80)).toMatchObject({ sockets: 1, queueLength: 10, drops: 7 });
  while (kinds.at(-1) === 'few') sample();
  expect(kinds.filter((kind) => kind === 'all')).toHaveLength(2);
  expect(listener(80)).toMatchObject({ sockets: 1, queueLength: 10, drops: 7 });
  expect(listener(443)).toBeUndefined();
});

test('after a failure a sample stands for no time', () => {
  const { sample, listener, fail } = setUp(cheap, [victim]);
  sample();
  sample();
  fail(new Error('netlink'));
  expect(sample).toThrow('netlink');
  fail(undefined);
  sample();
  expect(listener(80).fullSeconds).toBeCloseTo(0.1);
  sample();
  expect(listener(80).fullSeconds).toBeCloseTo(0.2);
});
