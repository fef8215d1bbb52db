import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { ParseError } from '../../src/formats/parse-error.ts';
import { runStates, XentraceParser } from '../../src/formats/xentrace.ts';
import { captures, changeRecord, chunk, lostRecord, parseTrace, record } from '../../tools/lib/xentrace.ts';
import { readBytes } from '../../tools/lib/fixture.ts';
import { thrownBy } from './thrown-by.ts';

const capture = (name: string): Uint8Array => readBytes(`xentrace/${name}.xt`);
const idle = capture('credit-idle');
/** Its first chunks, from three CPUs. */
const beginning = idle.subarray(0, 332 + 1036 + 988);

test('reads run-state changes, in the order of the file', () => {
  const { changes, lost, span } = parseTrace(capture('credit-storm'));
  expect(changes).toHaveLength(1161 + 2426 + 1161 + 1265 + 5);
  expect(changes.slice(0, 3)).toEqual([
    { cpu: 1, cycles: 0, domid: 0, vcpu: 1, from: 0, to: 2 },
    { cpu: 1, cycles: 4134, domid: 32767, vcpu: 1, from: 1, to: 0 },
    { cpu: 1, cycles: 6498908, domid: 0, vcpu: 1, from: 2, to: 1 },
  ]);
  expect(lost).toEqual([]);
  expect(span).toEqual({ begin: 0, end: 7757566950 });
});

test.each(captures)('%s: the four CPUs are all there, and time goes on within each', (name) => {
  const { changes } = parseTrace(capture(name));
  const byCpu = Map.groupBy(changes, ({ cpu }) => cpu);
  expect([...byCpu.keys()].sort()).toEqual([0, 1, 2, 3]);
  for (const ofCpu of byCpu.values()) {
    expect(ofCpu.map(({ cycles }) => cycles)).toEqual(ofCpu.map(({ cycles }) => cycles).sort((a, b) => a - b));
  }
});

test('the same whatever the pieces', () => {
  const first = parseTrace(beginning);
  for (let at = 0; at <= beginning.length; at += 1) {
    expect(parseTrace(beginning.subarray(0, at), beginning.subarray(at))).toEqual(first);
  }
  const whole = parseTrace(idle);
  expect(parseTrace(...Array.from(idle, (byte) => Uint8Array.of(byte)))).toEqual(whole);
  fc.assert(
    fc.property(fc.array(fc.nat({ max: idle.length }), { maxLength: 20 }), (cuts) => {
      const sorted = [0, ...cuts.sort((a, b) => a - b), idle.length];
      const pieces = sorted.slice(1).map((end, i) => idle.subarray(sorted[i], end));
      expect(parseTrace(...pieces)).toEqual(whole);
    }),
    { numRuns: 20 },
  );
});

test('does not keep the bytes that it was given', () => {
  const parser = new XentraceParser({ change: () => {}, lost: () => {} });
  const piece = Uint8Array.from(idle.subarray(0, 30));
  parser.push(piece);
  piece.fill(0xff);
  parser.push(idle.subarray(30));
  expect(() => parser.end()).not.toThrow();
});

describe('a trace that is cut off', () => {
  const ends = new Set([0]);
  for (let at = 0; at < beginning.length;) {
    at += 12 + Buffer.from(beginning).readUInt32LE(at + 8);
    ends.add(at);
  }

  test('is one wherever a chunk does not end there, and gives what came before', () => {
    const whole = parseTrace(beginning).changes;
    expect(ends).toEqual(new Set([0, 332, 332 + 1036, beginning.length]));
    for (let at = 0; at <= beginning.length; at += 1) {
      const changes: unknown[] = [];
      const parser = new XentraceParser({ change: (one) => changes.push(one), lost: () => {} });
      parser.push(beginning.subarray(0, at));
      expect(changes).toEqual(whole.slice(0, changes.length));
      if (ends.has(at)) expect(() => parser.end()).not.toThrow();
      else expect(() => parser.end()).toThrow(ParseError);
    }
  });

  test('says what is missing', () => {
    expect(thrownBy(() => parseTrace(idle.subarray(0, 17)))).toBe(
      'ParseError: expected a whole record, found its first 5 bytes',
    );
    expect(thrownBy(() => parseTrace(idle.subarray(0, 28)))).toBe(
      'ParseError: expected 304 more bytes of CPU 0, found the end',
    );
  });
});

describe('the time stamp has 64 bits', () => {
  const at = (...times: bigint[]): number[] =>
    parseTrace(chunk(0, ...times.map((time) => changeRecord(time, [1, 0], 'running', 'blocked')))).changes.map(
      ({ cycles }) => cycles,
    );

  test('also beyond what a double holds', () => {
    expect(at(0xfedc_ba98_7654_3210n, 0xfedc_ba98_7654_3211n)).toEqual([0, 1]);
  });

  test('carries from its low half', () => {
    expect(at(0x1_ffff_ffffn, 0x2_0000_0001n)).toEqual([0, 2]);
    expect(at(0x2_0000_0001n, 0x1_ffff_ffffn)).toEqual([0, -2]);
  });

  test('begins anew after the last', () => {
    expect(at(2n ** 64n - 5n, 7n)).toEqual([0, 12]);
  });

  test('any two that are a month apart at most', () => {
    fc.assert(
      fc.property(fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }), fc.maxSafeInteger(), (first, cycles) => {
        expect(at(first, first + BigInt(cycles))).toEqual([0, cycles]);
      }),
    );
  });
});

test('a vCPU that goes on running is one that runs before and after', () => {
  const { changes } = parseTrace(capture('credit2-hvm-booting'));
  expect(changes.filter(({ from, to }) => from === to)).toHaveLength(316);
  expect(changes.find(({ from, to }) => from === to)).toMatchObject({ domid: 0, vcpu: 1, from: 0, to: 0 });
});

test('lost records: how many, from when to when', () => {
  const { lost, span } = parseTrace(
    chunk(2, changeRecord(1000n, [1, 0], 'running', 'blocked'), lostRecord(5000n, 7, 400n)),
  );
  expect(lost).toEqual([{ count: 7, fromCycles: -600, toCycles: 4000 }]);
  // The first was lost before the trace began.
  expect(span).toEqual({ begin: 0, end: 4000 });
  expect(parseTrace(chunk(0, record(0x1f001, 9n, 3))).lost).toEqual([{ count: 3, fromCycles: undefined, toCycles: 0 }]);
});

test('what was not asked for is passed over, as is the mark where the buffer begins again', () => {
  const other = [record(0x28001, 5n, 1, 2, 3), record(0x1f002, undefined, 0), record(0x21003, 8n, 1)];
  expect(parseTrace(chunk(0, ...other))).toEqual({ changes: [], lost: [], span: { begin: 0, end: 3 } });
  expect(parseTrace()).toEqual({ changes: [], lost: [], span: undefined });
});

test.each<[name: string, bytes: Uint8Array, message: string]>([
  [
    'text',
    Buffer.from('Usage: xentrace [OPTION...] [output file]\n'),
    'expected the number of a CPU, found event 0x7617355',
  ],
  [
    'a record outside of all chunks',
    changeRecord(1n, [1, 0], 'running', 'blocked'),
    'expected the number of a CPU, found event 0x21021',
  ],
  [
    'a record longer than its chunk',
    Buffer.concat([record(0x1f003, undefined, 3, 8), changeRecord(1n, [1, 0], 'running', 'blocked')]),
    'expected a record within the 8 bytes left of CPU 3, found one of 16 bytes',
  ],
  [
    'a chunk within a chunk',
    Buffer.concat([record(0x1f003, undefined, 3, 8), chunk(1)]),
    'expected 8 more bytes of CPU 3, found another CPU',
  ],
  ['a chunk without a length', record(0x1f003, undefined, 3), 'expected a CPU and a number of bytes, found 1 words'],
  ['no such run state', chunk(0, record(0x21441, 1n, 0)), 'expected run states from 0 to 3, found 4 and 4'],
  ['a change of no vCPU', chunk(0, record(0x21021, 1n)), 'expected a vCPU whose run state changes, found none'],
  [
    'lost records without a time',
    chunk(0, record(0x1f001, undefined, 1)),
    'expected a time in the record of lost ones, found none',
  ],
  ['lost records without a number', chunk(0, record(0x1f001, 1n)), 'expected a number of lost records, found none'],
])('refuses %s', (_name, bytes, message) => {
  expect(thrownBy(() => parseTrace(bytes))).toBe(`ParseError: ${message}`);
});

test('what Xen writes comes back', () => {
  const state = fc.constantFrom(...runStates);
  const time = fc.nat({ max: 1e9 });
  const change = fc.record({
    time,
    domid: fc.nat({ max: 0xffff }),
    vcpu: fc.nat({ max: 0xffff }),
    from: state,
    to: state,
  });
  const chunks = fc.array(fc.record({ cpu: fc.nat({ max: 255 }), changes: fc.array(change) }));
  fc.assert(
    fc.property(chunks, (all) => {
      const bytes = Buffer.concat(
        all.map(({ cpu, changes }) =>
          chunk(cpu, ...changes.map((one) => changeRecord(BigInt(one.time), [one.domid, one.vcpu], one.from, one.to))),
        ),
      );
      const flat = all.flatMap(({ cpu, changes }) => changes.map((one) => ({ ...one, cpu })));
      expect(parseTrace(bytes).changes).toEqual(
        flat.map(({ cpu, time, domid, vcpu, from, to }) => ({
          cpu,
          cycles: time - flat[0]!.time,
          domid,
          vcpu,
          from: runStates.indexOf(from),
          to: runStates.indexOf(to),
        })),
      );
    }),
  );
});
