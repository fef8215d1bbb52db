import { expect, test } from 'vitest';
import { ListenerReading, ListenRequests, type Exchange } from '../../src/collectors/listeners/listener-reading.ts';
import { readBytes } from '../../tools/lib/fixture.ts';
import { kept } from '../../tools/lib/fake-host.ts';
import { message, words } from '../formats/netlink-message.ts';

const netlink = 'guests/pv-netlink-storm/netlink';
const dumps = {
  v4: readBytes(`${netlink}/inet-diag-listen-v4.bin`),
  v6: readBytes(`${netlink}/inet-diag-listen-v6.bin`),
};
const refusal = message(2, [words(-22)]);

/** A kernel that refuses the request for both families, and the types and families of the requests that it got. */
const refusing = () => {
  const asked: string[] = [];
  const exchange: Exchange = (request, keep) => {
    asked.push(`${request[4]} ${request[16]}`);
    if (request[4] === 18) return kept(refusal, keep);
    return kept(request[16] === 2 ? dumps.v4 : dumps.v6, keep);
  };
  return { asked, exchange };
};

test('a kernel that does not give both families at once is asked for each, from then on', () => {
  const { asked, exchange } = refusing();
  const reading = new ListenerReading(new ListenRequests(), undefined);
  const sockets = reading.read(exchange, 100);
  expect(sockets.map(({ family, port }) => [family, port])).toEqual([
    ['ipv4', 8080],
    ['ipv4', 22],
    ['ipv6', 22],
  ]);
  expect(reading.read(exchange, 100)).toBe(sockets);
  expect(asked).toEqual(['18 0', '20 2', '20 10', '20 2', '20 10']);
});

test('of a few listeners only the families that they have are asked for', () => {
  const { asked, exchange } = refusing();
  const requests = new ListenRequests();
  const few = [{ family: 'ipv6', address: '::', port: 22 }] as const;
  for (let i = 0; i < 2; i += 1) requests.readEach(few, ({ bytes }) => exchange(bytes));
  expect(asked).toEqual(['18 0', '18 0']);
  new ListenerReading(requests, undefined).read(exchange, 100);
  asked.length = 0;
  requests.readEach(few, ({ bytes }) => exchange(bytes));
  expect(asked).toEqual(['20 10']);
});

test('an error of another kind is thrown as it is', () => {
  const requests = new ListenRequests();
  const fail = (): never => {
    throw new TypeError('broken');
  };
  expect(() => requests.readEach(undefined, fail)).toThrow('broken');
  const { asked, exchange } = refusing();
  new ListenerReading(requests, undefined).read(exchange, 100);
  expect(asked[0]).toBe('18 0');
});

test('whichever listeners are wanted, a reading in which nothing has changed is the same array', () => {
  const exchange: Exchange = (_, keep) => kept(dumps.v4, keep);
  const reading = new ListenerReading(new ListenRequests(), ({ port }) => port === 22);
  const first = reading.read(exchange, 100);
  expect(first.map(({ port }) => port)).toEqual([22]);
  expect(reading.read(exchange, 100)).toBe(first);
});

test('more sockets than may be followed are picked fairly; when they are gone all are followed again', () => {
  const { exchange } = refusing();
  const reading = new ListenerReading(new ListenRequests(), undefined);
  expect(reading.read(exchange, 1)).toHaveLength(2);
  expect(reading.leftOut).toBe(1);
  expect(reading.read(exchange, 100)).toHaveLength(3);
  expect(reading.read(exchange, 100)).toHaveLength(3);
  expect(reading.leftOut).toBe(0);
});
