import { describe, expect, test } from 'vitest';
import { log2Of, parseTraceHist } from '../../src/formats/trace-hist.ts';
import { readText } from '../../tools/lib/fixture.ts';
import { thrownBy } from './thrown-by.ts';

const copies = readText('tracefs/dom0-copies-by-cpu.hist');
const latency = readText('tracefs/dom0-copy-latency.hist');

test('calls and operations by CPU', () => {
  expect(parseTraceHist(copies)).toEqual([
    {
      keys: ['common_cpu'],
      rows: [
        { keys: ['1'], hits: 744, sums: new Map([['n', 1406]]) },
        { keys: ['0'], hits: 2207, sums: new Map([['n', 4026]]) },
      ],
      hits: 2951,
      dropped: 0,
    },
  ]);
});

test('powers of two: rows that nothing fell into are not there', () => {
  const [table] = parseTraceHist(latency);
  expect(table!.keys).toEqual(['lat']);
  expect(table!.rows.map(({ keys: [key], hits }) => [log2Of(key!), hits]).slice(0, 4)).toEqual([
    [0, 400],
    [2, 2],
    [3, 1],
    [4, 15],
  ]);
  expect(table!.rows.reduce((sum, { hits }) => sum + hits, 0)).toBe(table!.hits);
});

test('several keys', () => {
  const [table] = parseTraceHist(readText('tracefs/dom0-socket-states.hist'));
  expect(table!.keys).toEqual(['newstate', 'oldstate']);
  expect(table!.rows[2]).toEqual({ keys: ['8', '1'], hits: 760, sums: new Map() });
});

test('two triggers of an event, of which one calls the CPU by another name than its rows', () => {
  const [byThread, byCpu] = parseTraceHist(readText('tracefs/dom0-copy-two-triggers.hist'));
  expect(byThread!.rows.at(-1)).toEqual({
    keys: ['vif1.0-q0-guest [       327]'],
    hits: 967,
    sums: new Map([['count', 1981]]),
  });
  expect(byCpu).toMatchObject({ keys: ['common_cpu', 'common_pid'], hits: 2908, dropped: 0 });
  expect(byCpu!.rows[0]).toEqual({ keys: ['0', '268'], hits: 1, sums: new Map() });
});

test('a probe that was never hit', () => {
  expect(parseTraceHist(readText('tracefs/dom0-no-hits.hist'))).toEqual([
    { keys: ['common_cpu'], rows: [], hits: 0, dropped: 0 },
  ]);
});

describe('names of threads', () => {
  const table = parseTraceHist(readText('tracefs/dom0-copies-by-thread.hist'))[0]!;

  test('with their numbers', () => {
    expect(table.keys).toEqual(['common_pid']);
    expect(table.rows).toEqual([
      { keys: ['vif1.0-q0-guest [       322]'], hits: 2, sums: new Map([['n', 2]]) },
      { keys: ['<idle>          [         0]'], hits: 2, sums: new Map([['n', 4]]) },
      { keys: ['vif2.0-q0-guest [     13126]'], hits: 3, sums: new Map([['n', 3]]) },
    ]);
  });

  test('may be anything', () => {
    const text = readText('tracefs/dom0-copies-by-thread.hist').replace('<idle>         ', '} hitcount: 99 ');
    expect(parseTraceHist(text)[0]!.rows[1]).toEqual({
      keys: ['} hitcount: 99  [         0]'],
      hits: 2,
      sums: new Map([['n', 4]]),
    });
  });
});

test('several triggers in one file', () => {
  const tables = parseTraceHist(`${copies}\n${latency}`);
  expect(tables).toEqual([...parseTraceHist(copies), ...parseTraceHist(latency)]);
});

test('the bucket of a difference that was negative, and keys that did not fit', () => {
  const text = latency
    .replace('{ lat: ~ 2^15 } hitcount:          1', '{ lat: ~ 2^64 } hitcount:          1')
    .replace('Dropped: 0', 'Dropped: 7');
  const [table] = parseTraceHist(text);
  expect(log2Of(table!.rows.at(-1)!.keys[0]!)).toBe(64);
  expect(table!.dropped).toBe(7);
});

test.each([
  ['', 'expected the totals of a hist trigger, found an empty file'],
  [
    `${copies}\n${latency.slice(0, latency.indexOf('Totals'))}`,
    'expected the totals of a hist trigger, found "{ lat: ~ 2^15 } hitcount:          1"',
  ],
  [
    latency.replace(/^#.*\n/gm, ''),
    'expected a line "# trigger info: hist:keys=...", found "{ lat: ~ 2^0  } hitcount:        400"',
  ],
  [
    latency.replace('{ lat: ~ 2^2  } hitcount', '{ lat: ~ 2^2  } count'),
    'expected a row "{ lat: ... } hitcount: N", found "{ lat: ~ 2^2  } count:          2"',
  ],
  [
    latency.replace('{ lat: ~ 2^2 ', '{ late: ~ 2^2 '),
    'expected a row "{ lat: ... } hitcount: N", found "{ late: ~ 2^2  } hitcount:          2"',
  ],
  [latency.replace('Totals:', 'Sums:'), 'expected a row, a comment or totals, found "Sums:"'],
])('refuses %j', (text, message) => {
  expect(thrownBy(() => parseTraceHist(text))).toBe(`ParseError: ${message}`);
});

test('refuses a key that is no power of two', () => {
  expect(thrownBy(() => log2Of('1'))).toBe('ParseError: expected a power of two such as "~ 2^13", found "1"');
});
