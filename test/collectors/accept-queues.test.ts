import { describe, expect, test } from 'vitest';
import { AcceptQueues, type SampleWeight } from '../../src/collectors/listeners/accept-queues.ts';
import type { Listener } from '../../src/collectors/listeners/listener.ts';
import type { ListenerSocket } from '../../src/formats/listener-socket.ts';

const socket = (parts: Partial<ListenerSocket> = {}): ListenerSocket => ({
  family: 'ipv4',
  address: '0.0.0.0',
  port: 80,
  id: 1,
  queueLength: 0,
  queueLimit: 9,
  drops: 0,
  ...parts,
});

/** The weight of each sample: so many seconds, and one observation. */
const standsFor = (seconds: number) => (): SampleWeight => ({ seconds, observations: 1 });

const only = (queues: AcceptQueues): Listener => {
  const [listener, ...others] = queues.listeners;
  expect(others).toEqual([]);
  return listener!;
};

test('drops go on when the server is restarted: the cookie tells', () => {
  const queues = new AcceptQueues();
  queues.observe([socket({ id: 1, drops: 100 })], 0);
  queues.observe([socket({ id: 1, drops: 110 })], 0);
  queues.observe([], 0);
  queues.observe([socket({ id: 2, drops: 4 })], 0);
  expect(only(queues).drops).toBe(114);
  queues.observe([socket({ id: 2, drops: 5 })], 0);
  expect(only(queues).drops).toBe(115);
});

test('a socket that a reading lacks keeps its counters', () => {
  const queues = new AcceptQueues();
  queues.observe([socket({ id: 1, drops: 100 }), socket({ id: 2, drops: 7 })], 0);
  queues.observe([socket({ id: 2, drops: 7 })], 0);
  queues.observe([socket({ id: 1, drops: 101 }), socket({ id: 2, drops: 7 })], 0);
  expect(only(queues).drops).toBe(108);
  for (const readings of [[], [socket({ id: 1, drops: 102 })]]) queues.observe(readings, 0);
  expect(only(queues).drops).toBe(109);
});

test('drops go on over 2^32', () => {
  const queues = new AcceptQueues();
  queues.observe([socket({ drops: 2 ** 32 - 1 })], 0);
  queues.observe([socket({ drops: 1 })], 0);
  expect(only(queues).drops).toBe(2 ** 32 + 1);
});

test('a source without limits and drops gives none', () => {
  const queues = new AcceptQueues();
  const { queueLimit: _limit, drops: _drops, ...bare } = socket({ queueLength: 3 });
  queues.sample([bare], 0, standsFor(1));
  expect(only(queues)).toMatchObject({
    queueLength: 3,
    queueLimit: undefined,
    maxFill: undefined,
    drops: undefined,
    connectionSeconds: 3,
    fullSeconds: 0,
  });
  expect(only(queues).fill.read().sum).toBe(0);
});

test('sockets of one address and port (SO_REUSEPORT) are one listener: sums, and the worst', () => {
  const queues = new AcceptQueues();
  const stuck = socket({ id: 1, queueLength: 10, drops: 7 });
  const idle = socket({ id: 2, queueLength: 0, drops: 1 });
  queues.sample([stuck, idle], 0, standsFor(0.5));
  expect(only(queues)).toMatchObject({
    sockets: 2,
    queueLength: 10,
    queueLimit: 18,
    maxFill: 1,
    drops: 8,
    connectionSeconds: 5,
    fullSeconds: 0.5,
  });
});

test('the queue is full when it holds one more than its limit', () => {
  const queues = new AcceptQueues();
  for (const queueLength of [9, 10, 11]) queues.sample([socket({ queueLength })], 0, standsFor(1));
  expect(only(queues).fullSeconds).toBe(2);
});

test('a limit of 0 is a queue of one', () => {
  const queues = new AcceptQueues();
  queues.sample([socket({ queueLimit: 0, queueLength: 0 })], 0, standsFor(1));
  queues.sample([socket({ queueLimit: 0, queueLength: 1 })], 0, standsFor(1));
  expect(only(queues)).toMatchObject({ maxFill: 1, fullSeconds: 1 });
});

test('samples stand for times of their own', () => {
  const queues = new AcceptQueues();
  queues.sample([socket({ queueLength: 10 })], 0, standsFor(0.05));
  queues.sample([socket({ queueLength: 10 })], 0, standsFor(2));
  expect(only(queues)).toMatchObject({ fullSeconds: 2.05, connectionSeconds: 20.5 });
});

test('the histogram has fills in the buckets of their upper bounds', () => {
  const queues = new AcceptQueues();
  for (const queueLength of [0, 1, 5, 9, 10, 12]) queues.sample([socket({ queueLength })], 0, standsFor(1));
  expect(only(queues).fill.read()).toEqual({
    buckets: [
      { le: '0.0', count: 1 },
      { le: '0.25', count: 2 },
      { le: '0.5', count: 3 },
      { le: '0.75', count: 3 },
      { le: '0.9', count: 4 },
      { le: '1.0', count: 5 },
      { le: '+Inf', count: 6 },
    ],
    sum: 0.1 + 0.5 + 0.9 + 1 + 1.2,
  });
});

test('a sample counts as often as the observations that it stands for', () => {
  const queues = new AcceptQueues();
  queues.sample([socket({ queueLength: 5 })], 0, () => ({ seconds: 1, observations: 20 }));
  queues.sample([socket({ queueLength: 10 })], 0, () => ({ seconds: 0.05, observations: 1 }));
  const { buckets, sum } = only(queues).fill.read();
  expect(buckets.map(({ count }) => count)).toEqual([0, 0, 20, 20, 20, 21, 21]);
  expect(sum).toBeCloseTo(11);
});

test('a sample shows whether anything moves: a connection that waits, or one that was dropped', () => {
  const queues = new AcceptQueues();
  const busy = (parts: Partial<ListenerSocket>): boolean => queues.sample([socket(parts)], 0, standsFor(1));
  // Drops from before we knew the socket are old.
  expect([busy({ drops: 7 }), busy({ drops: 7 }), busy({ drops: 8 }), busy({ drops: 8 })]).toEqual([
    false,
    false,
    true,
    false,
  ]);
  expect([busy({ queueLength: 1, drops: 8 }), busy({ drops: 8 })]).toEqual([true, false]);
});

describe('readings in which most sockets are the same objects as before', () => {
  const shared = [socket({ id: 1, queueLength: 3, uid: 7 }), socket({ id: 2, queueLength: 4, uid: 5, queueLimit: 3 })];
  const other = socket({ id: 3, port: 81, queueLength: 2 });

  /** All that there is to know of listeners. */
  const stateOf = (queues: AcceptQueues) =>
    queues.listeners.map(({ fill, ...rest }) => ({ ...rest, fill: fill.read() }));

  test('give what readings of new objects give', () => {
    const [sameObjects, newObjects] = [new AcceptQueues(), new AcceptQueues()];
    const first = [...shared, other];
    const second = first.with(1, socket({ id: 2, queueLength: 1, uid: 5, queueLimit: 9, drops: 4 }));
    const third = second.with(2, socket({ id: 3, port: 81 }));
    const gone = third.slice(1);
    const returned = [...gone, shared[0]!];
    for (const [i, readings] of [first, first, second, second, third, gone, returned, [], first].entries()) {
      const copies = readings.map((each) => ({ ...each }));
      expect(sameObjects.sample(readings, i, standsFor(1))).toBe(newObjects.sample(copies, i, standsFor(1)));
      expect(stateOf(sameObjects), `reading ${i}`).toEqual(stateOf(newObjects));
    }
  });

  test('between samples of a few listeners too', () => {
    const queues = new AcceptQueues();
    const first = [...shared, other];
    queues.sample(first, 0, standsFor(1));
    const few = queues.listeners.filter(({ port }) => port === 81);
    queues.sample([socket({ id: 3, port: 81, queueLength: 9 }), shared[0]!], 1, standsFor(1), few);
    const lengths = () => queues.listeners.map(({ port, sockets, queueLength }) => [port, sockets, queueLength]);
    // The socket of another listener that came along changes nothing.
    expect(lengths()).toEqual([
      [80, 2, 7],
      [81, 1, 9],
    ]);
    queues.sample(first, 2, standsFor(1));
    expect(lengths()).toEqual([
      [80, 2, 7],
      [81, 1, 2],
    ]);
    queues.sample([], 3, standsFor(1), few);
    queues.sample([], 4, standsFor(1));
    expect(queues.listeners).toEqual([]);
  });
});

test('dequeued adds up decreases; a closed socket took nothing from its queue', () => {
  const queues = new AcceptQueues();
  for (const queueLength of [5, 2, 4, 0]) queues.observe([socket({ queueLength })], 0);
  expect(only(queues).dequeued).toBe(7);
  queues.observe([socket({ id: 1, queueLength: 6 })], 0);
  queues.observe([socket({ id: 2, queueLength: 0 })], 0);
  expect(only(queues).dequeued).toBe(7);
});

test('an inode number that another listener got is another socket', () => {
  const queues = new AcceptQueues();
  queues.observe([socket({ id: 5, port: 80, drops: 100 })], 0);
  queues.observe([socket({ id: 5, port: 81, drops: 3 })], 0);
  expect(only(queues)).toMatchObject({ port: 81, drops: 3 });
});

describe('of more than 1024 listeners that went away', () => {
  /** The drops of a listener that had 5 and is back with 2, after `churn` came and went one by one. */
  const dropsAfter = (
    victim: Partial<ListenerSocket>,
    churn: readonly Partial<ListenerSocket>[],
  ): number | undefined => {
    const queues = new AcceptQueues();
    queues.observe([socket({ id: 5000, drops: 5, ...victim })], 0);
    for (const each of churn) queues.observe([socket(each)], 0);
    queues.observe([socket({ id: 9999, drops: 2, ...victim })], 0);
    return only(queues).drops;
  };
  const ports = (count: number, parts: Partial<ListenerSocket>): Partial<ListenerSocket>[] =>
    Array.from({ length: count }, (_, i) => ({ port: 1000 + i, id: 1000 + i, uid: 0, drops: 1, ...parts }));

  test('some are forgotten: ports that come and go cost no memory', () => {
    expect(dropsAfter({ uid: 0 }, ports(1024, {}))).toBe(7);
    expect(dropsAfter({ uid: 0 }, ports(2000, {}))).toBe(2);
  });

  test.each([
    ['another user', { uid: 1000 }],
    ['the loopback', { address: '127.0.0.1' }],
    ['no drops', { drops: 0 }],
  ])('not those of importance: %s comes and goes', (_, parts) => {
    expect(dropsAfter({ uid: 0 }, ports(2000, parts))).toBe(7);
  });

  test('not the oldest', () => {
    expect(
      dropsAfter(
        { uid: 0 },
        ports(2000, {}).map((each, i) => ({ ...each, id: 6000 + i })),
      ),
    ).toBe(7);
  });
});
