import { EventEmitter } from 'node:events';
import { setTimeout as delay } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { inTurn } from '../../src/web/in-turn.ts';
import { until } from '../../tools/lib/until.ts';

/** Requests whose handling takes 50 ms, with their start and end times. */
const setUp = () => {
  const times: { begin: number; end: number }[] = [];
  const handle = inTurn(async (_request, response) => {
    const begin = performance.now();
    await delay(50);
    times.push({ begin, end: performance.now() });
    response.emit('close');
  });
  const send = (socket: object) => void handle({ socket } as never, new EventEmitter() as never, () => {});
  return { times, send };
};

test('a request that came before the response waits as long as that took', async () => {
  const { times, send } = setUp();
  const socket = {};
  send(socket);
  send(socket);
  send(socket);
  await until('all responses', () => times.length === 3);
  // Timers count whole milliseconds.
  for (const i of [1, 2]) expect(times[i]!.begin - times[i - 1]!.end).toBeGreaterThan(48);
});

test('requests on other connections do not wait', async () => {
  const { times, send } = setUp();
  send({});
  send({});
  await until('both responses', () => times.length === 2);
  expect(times[1]!.begin).toBeLessThan(times[0]!.end);
});

test('requests of a connection that is gone are not handled', async () => {
  const { times, send } = setUp();
  const socket = { destroyed: false };
  send(socket);
  send(socket);
  socket.destroyed = true;
  const other = {};
  await until('the first response', () => times.length === 1);
  for (let i = 0; i < 2; i += 1) send(other);
  await until('the responses of another connection, which wait as long', () => times.length >= 3);
  expect(times).toHaveLength(3);
});
