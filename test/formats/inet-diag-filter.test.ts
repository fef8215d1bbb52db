import fc from 'fast-check';
import { expect, test } from 'vitest';
import { filterProgram, type ListenAddress } from '../../src/formats/inet-diag-filter.ts';
import { ipBytes } from '../../src/formats/ip-address.ts';

const AF_INET = 2;

/** Whether the program selects a listener, by the rules of inet_diag_bc_run in net/ipv4/inet_diag.c. */
const picks = (program: readonly number[], { family, address, port }: ListenAddress): boolean => {
  const word = (at: number): number => program[at]! | (program[at + 1]! << 8);
  let at = 0;
  while (at < program.length) {
    const [code, yes, no] = [program[at]!, program[at + 1]!, word(at + 2)];
    const [conditionFamily, prefix] = [program[at + 4], program[at + 5]];
    const bytes = program.slice(at + 12, at + 12 + prefix! / 8);
    const holds = {
      1: () => false,
      2: () => port >= word(at + 6),
      7: () =>
        word(at + 8) === port &&
        (conditionFamily === AF_INET) === (family === 'ipv4') &&
        bytes.join() === ipBytes(address).join(),
    }[code]!();
    at += holds ? yes : no;
  }
  return at === program.length;
};

/** Throws unless the kernel accepts the program: inet_diag_bc_audit and valid_cc there. */
const audit = (program: readonly number[]): void => {
  const places = new Set([program.length]);
  for (let at = 0; at < program.length; at += program[at + 1]!) places.add(at);
  for (const at of places) {
    if (at === program.length) continue;
    const [yes, no, left] = [program[at + 1]!, program[at + 2]! | (program[at + 3]! << 8), program.length - at];
    const least = { 1: 4, 2: 8, 7: 12 + program[at + 5]! / 8 }[program[at]!]!;
    expect([yes % 4, no % 4, yes >= least, yes <= left + 4, no >= 4, no <= left + 4]).toEqual([
      0,
      0,
      ...Array(4).fill(true),
    ]);
    if (no < left) expect(places).toContain(at + no);
  }
};

const listener = (family: 'ipv4' | 'ipv6', addresses: readonly string[]) =>
  fc.record({
    family: fc.constant(family),
    address: fc.constantFrom(...addresses),
    port: fc.integer({ min: 1, max: 65_535 }),
  });
const near = fc.oneof(
  listener('ipv4', ['0.0.0.0', '127.0.0.1', '127.0.0.2']),
  listener('ipv6', ['::', '::1', '::ffff:127.0.0.1', '2001:db8::1']),
);

test('picks these listeners and no others, and the kernel takes it', () => {
  fc.assert(
    fc.property(fc.array(near, { minLength: 1, maxLength: 64 }), fc.array(near), (few, others) => {
      const program = filterProgram(few);
      audit(program);
      const names = new Set(few.map((each) => Object.values(each).join()));
      for (const each of few) expect(picks(program, each)).toBe(true);
      // Also with other combinations of the same ports and addresses.
      const mixed = few.map((each, i) => ({ ...each, port: few[(i + 1) % few.length]!.port }));
      for (const each of [...others, ...mixed]) {
        expect(picks(program, each)).toBe(names.has(Object.values(each).join()));
      }
    }),
  );
});

test('looks at few of its conditions for each socket', () => {
  const few = Array.from({ length: 64 }, (_, i): ListenAddress => ({
    family: 'ipv4',
    address: '0.0.0.0',
    port: 1 + i,
  }));
  const program = filterProgram(few);
  // One comparison of a port, one address and one jump each.
  expect(program.length).toBe(63 * 8 + 64 * (16 + 4));
});
