import fc from 'fast-check';
import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { describe, expect, test } from 'vitest';
import { ParseError } from '../../src/formats/parse-error.ts';
import { parseInterrupts } from '../../src/formats/proc-interrupts.ts';
import { guestRoot, type Guest } from '../../tools/lib/guests.ts';

const rowsOf = (bytes: Uint8Array) => {
  const rows: unknown[][] = [];
  parseInterrupts(bytes, ({ label, cpus, counts, kind, action }) => {
    rows.push([label, [...cpus], [...counts], kind, action]);
  });
  return rows;
};

const captured = (guest: Guest): Uint8Array => readFileSync(resolve(guestRoot(guest), 'proc/interrupts'));
const parseText = (text: string) => rowsOf(Buffer.from(text));

test('a PV guest: every row of its event channels, none of the others', () => {
  expect(rowsOf(captured('pv-storm'))).toEqual([
    ['0', [0, 1], [46223, 0], 'virq', 'timer0'],
    ['1', [0, 1], [0, 0], 'ipi', 'spinlock0'],
    ['2', [0, 1], [806, 0], 'ipi', 'resched0'],
    ['3', [0, 1], [0, 0], 'ipi', 'callfunc0'],
    ['4', [0, 1], [4885, 0], 'ipi', 'callfuncsingle0'],
    ['5', [0, 1], [0, 0], 'ipi', 'irqwork0'],
    ['6', [0, 1], [0, 46126], 'virq', 'timer1'],
    ['7', [0, 1], [0, 594], 'ipi', 'resched1'],
    ['8', [0, 1], [0, 0], 'ipi', 'callfunc1'],
    ['9', [0, 1], [0, 3004], 'ipi', 'callfuncsingle1'],
    ['10', [0, 1], [0, 0], 'ipi', 'irqwork1'],
    ['11', [0, 1], [0, 0], 'ipi', 'spinlock1'],
    ['12', [0, 1], [0, 308], 'event', 'xenbus'],
    ['13', [0, 1], [22, 0], 'event', 'hvc_console'],
    ['14', [0, 1], [0, 406], 'event', 'blkif'],
    ['15', [0, 1], [155, 0], 'event', 'blkif'],
    ['16', [0, 1], [0, 1827], 'event', 'vif0-q0-tx'],
    ['17', [0, 1], [2272, 0], 'event', 'vif0-q0-rx'],
    ['18', [0, 1], [0, 1700], 'event', 'vif0-q1-tx'],
    ['19', [0, 1], [2436, 0], 'event', 'vif0-q1-rx'],
  ]);
});

test('an HVM guest: physical interrupts with their numbers, and the upcalls', () => {
  const rows = rowsOf(captured('hvm-idle'));
  expect(rows.slice(0, 2)).toEqual([
    ['1', [0], [9], 'ioapic-edge', 'i8042'],
    ['4', [0], [6], 'ioapic-edge', 'ttyS0'],
  ]);
  expect(rows.at(-1)).toEqual(['HYP', [0], [3684], '', '']);
});

describe('other forms that kernels print', () => {
  test.each([
    [
      'no space between chip and kind (before 4.x)',
      ' 17:  5  xen-percpu-virq      timer0',
      ['17', [0], [5], 'virq', 'timer0'],
    ],
    ['an interrupt number in between', ' 17:  5  xen-dyn  48 -event  xenbus', ['17', [0], [5], 'event', 'xenbus']],
    ['a trigger in between (Arm)', ' 17:  5  xen-dyn  48 Edge    -event  xenbus', ['17', [0], [5], 'event', 'xenbus']],
    ['two handlers on one interrupt', ' 17:  5  xen-dyn -event  a, b', ['17', [0], [5], 'event', 'a, b']],
    ['a name with spaces', ' 17:  5  xen-dyn -event  evtchn:my daemon', ['17', [0], [5], 'event', 'evtchn:my daemon']],
  ])('%s', (_what, line, row) => expect(parseText(`  CPU0\n${line}\n`)).toEqual([row]));
});

describe('broken files', () => {
  test.each([
    ['empty', '', 'expected a header of CPUs ("CPU0 CPU1 ..."), found an empty file'],
    ['no header', ' 17: 5\n', 'expected a header of CPUs ("CPU0 CPU1 ..."), found " 17: 5"'],
    ['cut off', ' CPU0\n 17: 5 xen-', 'expected a line end at the end of the file, found " CPU0\\n 17: 5 xen-"'],
    ['a line that is no row', ' CPU0\nhello\n', 'expected a row that begins with "NAME:", found "hello"'],
    ['an absurd CPU number', ' CPU99999999\n', 'expected a header of CPUs ("CPU0 CPU1 ..."), found " CPU99999999"'],
  ])('%s', (_what, text, message) => expect(() => parseText(text)).toThrow(message));
});

describe('properties', () => {
  const parse = (bytes: Uint8Array): void => {
    try {
      rowsOf(bytes);
    } catch (error) {
      if (!(error instanceof ParseError)) throw error;
    }
  };

  test('arbitrary bytes and damaged captures give rows or a ParseError', () => {
    const capture = captured('pv-storm');
    fc.assert(fc.property(fc.uint8Array({ maxLength: 400 }), parse));
    fc.assert(
      fc.property(fc.nat(capture.length - 1), fc.nat(255), fc.nat(capture.length), (at, byte, end) => {
        const damaged = Uint8Array.from(capture);
        damaged[at] = byte;
        parse(damaged);
        parse(damaged.subarray(0, end));
      }),
    );
  });

  test('what is printed as the kernel prints it is read back', () => {
    const u32 = fc.integer({ min: 0, max: 2 ** 32 - 1 });
    const table = fc
      .nat(20)
      .chain((cpus) => fc.array(fc.array(u32, { minLength: cpus + 1, maxLength: cpus + 1 }), { minLength: 1 }));
    fc.assert(
      fc.property(table, (rows) => {
        const header = rows[0]!.map((_count, cpu) => `CPU${cpu}`.padEnd(11)).join('');
        const lines = rows.map((counts, i) => {
          const cells = counts.map((count) => `${String(count).padStart(10)} `).join('');
          return `${String(i).padStart(4)}: ${cells} xen-dyn-lateeoi    -event     vif${i}-q0-rx`;
        });
        expect(parseText(['      ' + header, ...lines, ''].join('\n')).map((row) => row[2])).toEqual(rows);
      }),
    );
  });
});

test('a broken row costs itself, also one that lacks a count', () => {
  const rows: unknown[][] = [];
  const errors: string[] = [];
  const text = [
    '      CPU0 CPU1',
    'hello',
    ' 16: 5 - xen-dyn -event vif0-q0-tx',
    ' 17: 6 7 xen-dyn -event vif0-q0-rx',
    'ERR: 0',
    '',
  ].join('\n');
  parseInterrupts(
    Buffer.from(text),
    ({ label, counts }) => rows.push([label, ...counts]),
    ({ message }) => errors.push(message),
  );
  expect(rows).toEqual([['17', 6, 7]]);
  expect(errors).toEqual([
    'expected a row that begins with "NAME:", found "hello"',
    'expected 2 counts, one for each CPU, found "- xen-dyn -event vif0-q0-tx"',
  ]);
});

test('a copy may have carriage returns', () => {
  const text = ' CPU0\r\n 17:  5  xen-dyn -event  eth0-q0-rx\r\n';
  expect(parseText(text)).toEqual([['17', [0], [5], 'event', 'eth0-q0-rx']]);
});

test.each(['', '      '])('a line of blanks is no row: "%s"', (line) => {
  const rows: string[] = [];
  const text = `           CPU0\n 48:          7   xen-dyn    -event     eth0-q0-tx\n${line}\nERR:          0\n`;
  parseInterrupts(Buffer.from(text), ({ action }) => rows.push(action));
  expect(rows).toEqual(['eth0-q0-tx']);
});
