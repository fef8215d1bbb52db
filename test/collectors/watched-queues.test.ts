import { expect, test } from 'vitest';
import type { Listener } from '../../src/collectors/listeners/listener.ts';
import { WatchedQueues } from '../../src/collectors/listeners/watched-queues.ts';
import type { ListenerSocket } from '../../src/formats/listener-socket.ts';
import { fakeClock } from '../../tools/lib/fake-host.ts';
import { randomFrom } from '../support/random.ts';

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
const attack = Array.from({ length: 500 }, (_, i) => socket(10_000 + i));

const dear = 1 / 256;
const cheap = dear / 32;

/**
 * Queues of which a sample of all costs so much CPU time. `random`: whether a sample is of all, and of what is quiet.
 */
const setUp = (
  allSeconds: number,
  { first = [...attack, victim], random = () => 0.5, hasMoved = () => true } = {} as {
    first?: readonly ListenerSocket[];
    random?: () => number;
    hasMoved?: () => boolean;
  },
) => {
  let sockets = first;
  let cpuSeconds = 0;
  const clock = { ...fakeClock(), cpuSeconds: () => cpuSeconds };
  const watched = new WatchedQueues({ netns: '', tenant: '', hertz: 10, hasMoved }, clock, random);
  const kinds: string[] = [];
  let asked: readonly Listener[] = [];
  let error: Error | undefined;
  const sample = (seconds = 0.1) => {
    clock.advance(seconds);
    watched.sample(
      seconds,
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
  // Whatever is known of it from before, the first sample is taken.
  sample(1);
  const listener = (port: number) => watched.queues.listeners.find((each) => each.port === port)!;
  return {
    sample,
    kinds,
    listener,
    watched,
    asked: () => asked,
    fail: (next?: Error) => (error = next),
    set: (next: readonly ListenerSocket[]) => (sockets = next),
  };
};

const countOf = (listener: Listener): number => listener.fill.read().buckets.at(-1)!.count;

test('of up to 256 sockets each sample is of all', () => {
  const { sample, kinds } = setUp(dear, { first: [...attack.slice(0, 255), victim] });
  for (let i = 0; i < 5; i += 1) sample();
  expect(kinds).toEqual(Array(6).fill('all'));
});

test('of thousands of listeners the most important keep nine tenths of their rate, and all are sampled in the rest of the time', () => {
  const { sample, kinds, listener, asked } = setUp(4 * cheap, { random: randomFrom(1) });
  for (let n = 0; n < 50_000; n += 1) sample();
  const all = kinds.filter((kind) => kind === 'all').length;
  const few = kinds.length - all;
  expect((all * 4 * cheap) / (few * cheap)).toBeCloseTo(0.1, 1);
  expect(asked()).toHaveLength(64);
  const important = listener(80);
  expect(important.fullSeconds / 5001).toBeCloseTo(1, 2);
  expect(important.connectionSeconds / 50_010).toBeCloseTo(1, 2);
  expect(countOf(important) / 50_010).toBeCloseTo(1, 2);
  const other = listener(10_499);
  expect(asked()).not.toContain(other);
  // One sample in 40 is of it, and stands for that much more.
  expect(other.connectionSeconds / 5001).toBeCloseTo(1, 1);
  expect(countOf(other) / 50_010).toBeCloseTo(1, 1);
});

test('a listener of thousands of sockets (SO_REUSEPORT) is not among the few', () => {
  const shared = Array.from({ length: 5000 }, (_, i) => socket(8080, { id: 100_000 + i, queueLength: 9, uid: 1001 }));
  const { sample, asked } = setUp(dear, { first: [...shared, victim, socket(443, { uid: 0 })] });
  sample();
  expect(
    asked()
      .map(({ port }) => port)
      .sort(),
  ).toEqual([443, 80]);
});

test('the drops of a server that restarts between two samples of all go on; one that ends is gone', () => {
  let isAll = false;
  const random = () => (isAll ? 0 : 0.5);
  const { sample, listener, kinds, set } = setUp(dear, {
    first: [{ ...victim, drops: 5 }, socket(443, { uid: 0 }), ...attack],
    random,
  });
  set([{ ...victim, id: 81, drops: 2 }, ...attack]);
  sample();
  expect(listener(80)).toMatchObject({ sockets: 1, queueLength: 10, drops: 7 });
  isAll = true;
  sample();
  expect(kinds).toEqual(['all', 'few', 'all']);
  expect(listener(80)).toMatchObject({ sockets: 1, queueLength: 10, drops: 7 });
  expect(listener(443)).toBeUndefined();
});

test('a sample that fails counts nothing; the next one stands for its own time', () => {
  const { sample, listener, fail } = setUp(cheap, { first: [victim] });
  sample();
  fail(new Error('netlink'));
  expect(sample).toThrow('netlink');
  fail(undefined);
  sample();
  expect(listener(80).fullSeconds).toBeCloseTo(1.2);
});

test('while nothing moves, one sample in ten at ten a second, which stands for a second', () => {
  let opens = 0;
  let i = 0;
  const random = () => ((i += 1) % 20) / 20;
  const hasMoved = () => opens > 0 && (opens -= 1) >= 0;
  const { sample, kinds, listener, watched, set } = setUp(cheap, {
    first: [socket(80, { queueLength: 0 })],
    random,
    hasMoved,
  });
  for (let n = 0; n < 200; n += 1) sample();
  expect(kinds).toHaveLength(1 + 20);
  expect(countOf(listener(80))).toBe(10 * 21);
  // The sample that meets the first connection stands for a second, those after it for themselves.
  set([victim]);
  while (!watched.attention.isActive) sample();
  expect(listener(80).fullSeconds).toBeCloseTo(1);
  for (let n = 0; n < 5; n += 1) sample();
  expect(listener(80).fullSeconds).toBeCloseTo(1.5);
  expect(kinds).toHaveLength(1 + 20 + 1 + 5);
  set([socket(80, { queueLength: 0 })]);
  for (let n = 0; n < 20; n += 1) sample();
  expect(watched.attention.isActive).toBe(false);
  // Connections that a server accepts at once.
  opens = 1;
  while (!watched.attention.isActive) sample();
  expect(opens).toBe(0);
});
