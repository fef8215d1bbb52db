import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { ParseError } from '../../src/formats/parse-error.ts';
import { runStates } from '../../src/formats/xentrace.ts';
import { readBytes, readText } from '../../tools/lib/fixture.ts';
import {
  captures,
  changeRecord,
  chunk,
  compareWithXenalyze,
  intervalsOf,
  lostRecord,
  parseTrace,
  record,
} from '../../tools/lib/xentrace.ts';

const domu1: [number, number] = [1, 0];
const domu2: [number, number] = [2, 0];

describe.each(captures)('%s', (name) => {
  const bytes = readBytes(`xentrace/${name}.xt`);
  const { intervals, folded } = intervalsOf(bytes);
  const { span } = parseTrace(bytes);

  test('agrees with xenalyze on every state of every vCPU', () => {
    const { vcpus, differences } = compareWithXenalyze(intervals, readText(`xentrace/${name}.xenalyze`));
    expect(vcpus).toBeGreaterThanOrEqual(5);
    expect(differences).toEqual([]);
  });

  test('the states of each vCPU add up to the time of the trace', () => {
    expect(folded).toEqual({ cycles: span!.end - span!.begin, mismatches: 0 });
    for (const [vcpu, own] of Map.groupBy(intervals, ({ domid, vcpu }) => `${domid}.${vcpu}`)) {
      expect(
        own.reduce((sum, { cycles }) => sum + cycles, 0),
        vcpu,
      ).toBe(folded.cycles);
    }
  });
});

/** A vCPU of domu1 on CPU 0 that runs, waits for domu2, and runs. */
const turn = (at: bigint): Uint8Array[] => [
  changeRecord(at, domu1, 'running', 'runnable'),
  changeRecord(at, domu2, 'runnable', 'running'),
  changeRecord(at + 60n, domu2, 'running', 'blocked'),
  changeRecord(at + 60n, domu1, 'runnable', 'running'),
];
const shown = ({ intervals }: ReturnType<typeof intervalsOf>): string[] =>
  intervals.map(
    ({ domid, state, cycles, before = '', after = '' }) => `${domid}: ${before}>${state} ${cycles}>${after}`,
  );

test('a change tells what was before it, from where the trace begins, and what comes after, to its end', () => {
  expect(shown(intervalsOf(chunk(0, ...turn(1000n), changeRecord(1100n, domu1, 'running', 'blocked'))))).toEqual([
    '1: >running 0>runnable',
    '2: >runnable 0>running',
    '2: runnable>running 60>blocked',
    '1: running>runnable 60>running',
    '1: runnable>running 40>blocked',
    '1: running>blocked 0>',
    '2: running>blocked 40>',
  ]);
});

test('chunks of CPUs are put in the order of time', () => {
  const bytes = Buffer.concat([
    chunk(0, changeRecord(100n, domu1, 'running', 'blocked'), changeRecord(400n, domu1, 'runnable', 'running')),
    chunk(1, changeRecord(300n, domu1, 'blocked', 'runnable')),
    chunk(0, changeRecord(500n, domu1, 'running', 'blocked')),
  ]);
  expect(shown(intervalsOf(bytes))).toEqual([
    '1: >running 0>blocked',
    '1: running>blocked 200>runnable',
    '1: blocked>runnable 100>running',
    '1: runnable>running 100>blocked',
    '1: running>blocked 0>',
  ]);
});

test('of the time in which records were lost nothing is said, of any vCPU: the wait over it is no wait', () => {
  const bytes = Buffer.concat([
    chunk(0, changeRecord(100n, domu1, 'running', 'runnable')),
    chunk(1, changeRecord(150n, domu2, 'blocked', 'runnable'), lostRecord(300n, 4, 200n)),
    chunk(0, changeRecord(250n, domu1, 'runnable', 'running'), changeRecord(350n, domu1, 'running', 'blocked')),
    chunk(1, changeRecord(400n, domu2, 'running', 'blocked')),
  ]);
  const all = intervalsOf(bytes);
  expect(shown(all)).toEqual([
    '1: >running 0>runnable',
    '2: >blocked 50>runnable',
    '1: running>runnable 100>',
    '2: blocked>runnable 50>',
    '1: >running 50>blocked',
    '2: >running 100>blocked',
    '1: running>blocked 50>',
    '2: running>blocked 0>',
  ]);
  expect(all.folded).toEqual({ cycles: 200, mismatches: 0 });
});

test.each([
  ['since before the trace', lostRecord(300n, 4, 20n), ['1: >running 50>blocked', '1: running>blocked 50>'], 100],
  ['nobody knows since when', record(0x1f001, 300n, 4), ['1: >running 50>blocked', '1: running>blocked 50>'], 100],
])('records that were lost %s', (_name, lost, expected, cycles) => {
  const bytes = Buffer.concat([
    chunk(0, changeRecord(100n, domu1, 'runnable', 'running'), changeRecord(350n, domu1, 'running', 'blocked')),
    chunk(1, lost, changeRecord(400n, [32767, 1], 'running', 'runnable')),
  ]);
  const all = intervalsOf(bytes);
  expect(shown(all)).toEqual(expected);
  expect(all.folded.cycles).toBe(cycles);
});

test('a change that does not go on from the one before is counted, and the time between is nobody knows what', () => {
  const all = intervalsOf(
    chunk(
      0,
      changeRecord(100n, domu1, 'running', 'runnable'),
      changeRecord(300n, domu1, 'blocked', 'runnable'),
      changeRecord(350n, domu1, 'runnable', 'running'),
    ),
  );
  expect(shown(all)).toEqual(['1: >running 0>runnable', '1: blocked>runnable 50>running', '1: runnable>running 0>']);
  expect(all.folded.mismatches).toBe(1);
});

test('clocks of two CPUs that differ by more than the change took: counted as such', () => {
  const bytes = Buffer.concat([
    chunk(0, changeRecord(100n, domu1, 'running', 'blocked'), changeRecord(300n, domu1, 'blocked', 'runnable')),
    chunk(1, changeRecord(290n, domu1, 'runnable', 'running'), changeRecord(400n, domu1, 'running', 'blocked')),
  ]);
  const { intervals, folded } = intervalsOf(bytes);
  expect(folded.mismatches).toBe(3);
  expect(intervals.every(({ cycles }) => cycles >= 0)).toBe(true);
});

test('a vCPU that only goes on running runs all the time', () => {
  const goesOn = record(0x21002, 200n, 0x1_0000);
  const bytes = chunk(
    0,
    changeRecord(100n, domu2, 'running', 'blocked'),
    goesOn,
    changeRecord(300n, domu2, 'blocked', 'runnable'),
  );
  expect(shown(intervalsOf(bytes))).toContain('1: >running 200>');
});

test('where it goes on running is no end of an interval', () => {
  const goesOn = record(0x21002, 200n, 0x1_0000);
  const bytes = chunk(
    0,
    changeRecord(100n, domu1, 'runnable', 'running'),
    goesOn,
    changeRecord(300n, domu1, 'running', 'blocked'),
  );
  expect(shown(intervalsOf(bytes))).toContain('1: runnable>running 200>blocked');
});

test('a trace of nothing', () => {
  expect(intervalsOf(new Uint8Array())).toEqual({ intervals: [], folded: { cycles: 0, mismatches: 0 } });
});

test('idle vCPUs are no domain', () => {
  const { intervals } = intervalsOf(chunk(0, changeRecord(1n, [32767, 0], 'running', 'runnable')));
  expect(intervals).toEqual([]);
});

describe('whatever is damaged', () => {
  const whole = readBytes('xentrace/credit-idle.xt').subarray(0, 12 + 320 + 12 + 1024 + 12 + 976 + 12 + 400);

  const isSound = (bytes: Uint8Array): void => {
    let all: ReturnType<typeof intervalsOf>;
    try {
      all = intervalsOf(bytes);
    } catch (error) {
      if (error instanceof ParseError) return;
      throw error;
    }
    const { intervals, folded } = all;
    expect(folded.cycles).toBeGreaterThanOrEqual(0);
    for (const { cycles, state } of intervals) {
      expect(cycles).toBeGreaterThanOrEqual(0);
      expect(cycles).toBeLessThanOrEqual(folded.cycles);
      expect(runStates).toContain(state);
    }
    for (const own of Map.groupBy(intervals, ({ domid, vcpu }) => `${domid}.${vcpu}`).values()) {
      expect(own.reduce((sum, { cycles }) => sum + cycles, 0)).toBeLessThanOrEqual(folded.cycles * (1 + 1e-9));
    }
  };

  test('by single bytes', () => {
    fc.assert(
      fc.property(
        fc.array(fc.tuple(fc.nat({ max: whole.length - 1 }), fc.nat({ max: 255 })), { minLength: 1 }),
        (bytes) => {
          const damaged = Uint8Array.from(whole);
          for (const [at, byte] of bytes) damaged[at] = byte;
          isSound(damaged);
        },
      ),
      { numRuns: 500 },
    );
  });

  test('by noise', () => {
    fc.assert(fc.property(fc.uint8Array({ maxLength: 400 }), isSound));
  });

  test('by the loss of records, anywhere: intervals that are given are in the whole trace too, or within one of it', () => {
    const change = (time: bigint, i: number): Uint8Array =>
      changeRecord(time, domu1, (['running', 'runnable'] as const)[i % 2]!, (['runnable', 'running'] as const)[i % 2]!);
    fc.assert(
      fc.property(
        fc.array(fc.integer({ min: 1, max: 100 }), { minLength: 3, maxLength: 40 }),
        fc.nat(),
        fc.nat(),
        (steps, a, b) => {
          const times = steps.map((_step, i) => BigInt(steps.slice(0, i + 1).reduce((sum, step) => sum + step, 0)));
          const first = 1 + (a % (times.length - 2));
          const count = 1 + (b % (times.length - 1 - first));
          const records = times.map((time, i) => change(time, i));
          const lost = lostRecord(times[first + count]! - 1n, count, times[first]!);
          const kept = [...records.slice(0, first), lost, ...records.slice(first + count)];
          const waits = ({ intervals }: ReturnType<typeof intervalsOf>): number[] =>
            intervals.flatMap(({ state, cycles, before, after }) =>
              state === 'runnable' && before && after ? [cycles] : [],
            );
          const all = waits(intervalsOf(chunk(0, ...records)));
          const some = waits(intervalsOf(chunk(0, ...kept)));
          for (const wait of some) {
            expect(all).toContain(wait);
            all.splice(all.indexOf(wait), 1);
          }
        },
      ),
      { numRuns: 300 },
    );
  });
});
