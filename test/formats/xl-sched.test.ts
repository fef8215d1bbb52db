import { describe, expect, test } from 'vitest';
import { parseXlSched, type XlSchedDomain } from '../../src/formats/xl-sched.ts';
import { readText } from '../../tools/lib/fixture.ts';
import { thrownBy } from './thrown-by.ts';

const names = ['Domain-0', 'domu1', 'domu2', 'pvh1'];
const alike = (parameters: Partial<XlSchedDomain>): XlSchedDomain[] =>
  names.map((name, domid) => ({ domid, name, ...parameters }));

const pool0 = { name: 'Pool-0', timesliceSeconds: 0.03, ratelimitSeconds: 0.001, migrationDelaySeconds: 0 };

test('reads credit', () => {
  expect(parseXlSched(readText('xl/credit-storm.xl-sched-credit'))).toEqual([
    { ...pool0, domains: alike({ weight: 256 }) },
  ]);
});

test('reads the cap of a domain and the weight of another, in credit and credit2', () => {
  const domains = (capCpus: number): XlSchedDomain[] => {
    const [domain0, domu1, ...others] = alike({ weight: 256 });
    return [{ ...domain0!, weight: 512 }, { ...domu1!, capCpus }, ...others];
  };
  expect(parseXlSched(readText('xl/credit-caps.xl-sched-credit'))).toEqual([{ ...pool0, domains: domains(0.1) }]);
  expect(parseXlSched(readText('xl/credit2-caps.xl-sched-credit2'))).toEqual([
    { name: 'Pool-0', ratelimitSeconds: 0.001, domains: domains(0.25) },
  ]);
});

test('reads credit2 with one cpupool and with two', () => {
  const [domain0, domu1, domu2, pvh1] = alike({ weight: 256 });
  expect(parseXlSched(readText('xl/credit2-storm.xl-sched-credit2'))).toEqual([
    { name: 'Pool-0', ratelimitSeconds: 0.001, domains: [domain0, domu1, domu2, pvh1] },
  ]);
  expect(parseXlSched(readText('xl/credit2-two-pools.xl-sched-credit2'))).toEqual([
    { name: 'Pool-0', ratelimitSeconds: 0.001, domains: [domain0, domu1, pvh1] },
    { name: 'pool1', ratelimitSeconds: 0.001, domains: [domu2] },
  ]);
});

test('reads RTDS', () => {
  expect(parseXlSched(readText('xl/rtds-storm.xl-sched-rtds'))).toEqual([
    { name: 'Pool-0', domains: alike({ periodSeconds: 0.01, budgetSeconds: 0.004, extratime: true }) },
  ]);
});

test('reads a cpupool alone (-s), also where xl could not get its parameters', () => {
  expect(parseXlSched(readText('xl/credit-storm.xl-sched-credit-s'))).toEqual([{ ...pool0, domains: [] }]);
  expect(parseXlSched(readText('xl/credit-unavailable.xl-sched-credit2-s'))).toEqual([{ name: 'Pool-0', domains: [] }]);
});

test('no output is no cpupool with that scheduler', () => {
  expect(parseXlSched('')).toEqual([]);
});

const credit = readText('xl/credit-storm.xl-sched-credit');
const rtds = readText('xl/rtds-storm.xl-sched-rtds');

test('reads what Xen 4.9 printed: no migration delay, no cap in credit2, no extratime', () => {
  expect(parseXlSched(credit.replace(' migration-delay=0us', ''))).toEqual([
    { name: 'Pool-0', timesliceSeconds: 0.03, ratelimitSeconds: 0.001, domains: alike({ weight: 256 }) },
  ]);
  const credit2 = readText('xl/credit2-storm.xl-sched-credit2');
  expect(parseXlSched(credit2.replace(/ {2}Cap\n/, '\n').replace(/ {4}0\n/g, '\n'))).toEqual([
    { name: 'Pool-0', ratelimitSeconds: 0.001, domains: alike({ weight: 256 }) },
  ]);
  expect(parseXlSched(rtds.replace(/ {2}Extratime\n/, '\n').replace(/ {8}yes\n/g, '\n'))).toEqual([
    { name: 'Pool-0', domains: alike({ periodSeconds: 0.01, budgetSeconds: 0.004 }) },
  ]);
});

test('reads a domain that may not use time that is left over', () => {
  expect(parseXlSched(rtds.replace(/ yes\n$/, '  no\n'))[0]!.domains[3]).toEqual({
    domid: 3,
    name: 'pvh1',
    periodSeconds: 0.01,
    budgetSeconds: 0.004,
    extratime: false,
  });
});

describe('names changed as xl would print them', () => {
  const domains = alike({ weight: 256 });
  const renamed = (name: string): string => credit.replace('pvh1'.padEnd(33), name.padEnd(33));

  test.each(['a  b', '3    256    0', 'Cpupool Pool-0: ratelimit=1us', 'Name ID Weight Cap', `ü${'x'.repeat(60)}`])(
    'a domain named %j',
    (name) => {
      expect(parseXlSched(renamed(name))).toEqual([
        { ...pool0, domains: [...domains.slice(0, 3), { ...domains[3], name }] },
      ]);
    },
  );

  test('a domain without a name, and one with a newline in it', () => {
    const others = domains.slice(0, 3);
    expect(parseXlSched(renamed('(null)'))).toEqual([
      { ...pool0, domains: [...others, { ...domains[3], name: undefined }] },
    ]);
    expect(parseXlSched(renamed('two\nlines'))).toEqual([{ ...pool0, domains: others }]);
  });

  test.each(['my pool', 'x: sched=RTDS', 'a 1 256 0'])('a cpupool named %j', (name) => {
    expect(parseXlSched(credit.replace('Pool-0', name))).toEqual([{ ...pool0, name, domains }]);
  });

  test('a cpupool with a newline in its name is left out, with its domains', () => {
    const twoPools = readText('xl/credit2-two-pools.xl-sched-credit2');
    expect(parseXlSched(twoPools.replace('pool1', 'two\nlines'))).toEqual(parseXlSched(twoPools).slice(0, 1));
  });

  test('a cpupool whose parameters xl could not get still has domains', () => {
    expect(parseXlSched(credit.replace(/tslice.*/, '[sched params unavailable]'))).toEqual([
      { name: 'Pool-0', domains },
    ]);
  });
});

test.each([
  ['\n', 'expected a line "Cpupool name: ...", found an empty line'],
  ['Name ID Weight Cap\n', 'expected a line "Cpupool name: ...", found "Name ID Weight Cap"'],
  [
    readText('xl/rtds-storm.xl-sched-rtds-v-all'),
    'expected a line "Name ID Weight Cap" or "Name ID Period Budget Extratime", found "Name                                ID VCPU    Period    Bu…"',
  ],
  [
    credit.slice(0, -1),
    'expected lines that all end in a newline, found "pvh1                                 3    256    0"',
  ],
])('refuses %j', (text, message) => {
  expect(thrownBy(() => parseXlSched(text))).toBe(`ParseError: ${message}`);
});

test.each(['Cpupool Pool-0:', 'Cpupool Pool-0: '])('a pool without parameters, as up to Xen 4.7: "%s"', (line) => {
  const text = `${line}\nName                                ID Weight\nDomain-0                             0    256\n`;
  expect(parseXlSched(text)).toEqual([{ name: 'Pool-0', domains: [{ domid: 0, name: 'Domain-0', weight: 256 }] }]);
});

test('parameters that later releases may add are passed over', () => {
  const later = credit.replace('ratelimit=1000us', 'ratelimit=1000us new-thing=7ns');
  expect(parseXlSched(later)).toEqual(parseXlSched(credit));
});

test('a line that is no row is reported, and costs the row behind it: both may be one name', () => {
  const errors: string[] = [];
  const broken = credit.replace(/^domu1 .*$/m, 'domu1                                -    256    0');
  const [pool] = parseXlSched(broken, ({ message }) => errors.push(message));
  expect(pool!.domains.map(({ domid }) => domid)).toEqual([0, 3]);
  expect(errors).toHaveLength(2);
});
