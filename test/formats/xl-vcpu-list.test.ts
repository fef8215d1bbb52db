import { describe, expect, test } from 'vitest';
import { parseXlVcpuList, type XlVcpu, type XlVcpuState } from '../../src/formats/xl-vcpu-list.ts';
import { readText } from '../../tools/lib/fixture.ts';
import { thrownBy } from './thrown-by.ts';

const row = (
  name: string | undefined,
  domid: number,
  vcpu: number,
  cpu: number | undefined,
  state: XlVcpuState,
  cpuSeconds: number,
): XlVcpu => ({ domid, name, vcpu, cpu, state, cpuSeconds });

test('reads the vCPUs of a host with credit, in the storm', () => {
  expect(parseXlVcpuList(readText('xl/credit-storm.xl-vcpu-list'))).toEqual([
    row('Domain-0', 0, 0, 1, 'blocked', 314),
    row('Domain-0', 0, 1, 0, 'running', 315),
    row('domu1', 1, 0, 3, 'runnable', 163.9),
    row('domu1', 1, 1, 3, 'running', 156.1),
    row('domu2', 2, 0, 3, 'runnable', 250.7),
    row('pvh1', 3, 0, 2, 'running', 200.7),
  ]);
});

test('reads those of a host with credit2', () => {
  expect(parseXlVcpuList(readText('xl/credit2-storm.xl-vcpu-list'))).toEqual([
    row('Domain-0', 0, 0, 0, 'blocked', 255.2),
    row('Domain-0', 0, 1, 2, 'running', 266.7),
    row('domu1', 1, 0, 3, 'runnable', 131.4),
    row('domu1', 1, 1, 3, 'runnable', 119.3),
    row('domu2', 2, 0, 3, 'running', 152.3),
    row('pvh1', 3, 0, 1, 'blocked', 143.2),
  ]);
});

test('reads those of a host with RTDS', () => {
  expect(parseXlVcpuList(readText('xl/rtds-storm.xl-vcpu-list'))).toEqual([
    row('Domain-0', 0, 0, 2, 'blocked', 91),
    row('Domain-0', 0, 1, 0, 'running', 102.9),
    row('domu1', 1, 0, 3, 'runnable', 37.2),
    row('domu1', 1, 1, 3, 'running', 30.2),
    row('domu2', 2, 0, 3, 'running', 28.4),
    row('pvh1', 3, 0, 0, 'blocked', 14.9),
  ]);
});

test('reads an HVM guest that is being created, is paused, is renamed; paused looks runnable', () => {
  const [creating, paused, renamed] = ['creating', 'paused', 'renamed'].map((state) =>
    parseXlVcpuList(readText(`xl/credit-hvm-${state}.xl-vcpu-list`)),
  );
  expect(creating).toEqual([
    row('Domain-0', 0, 0, 2, 'running', 49.7),
    row('Domain-0', 0, 1, 3, 'running', 84.5),
    row('domu1', 1, 0, 0, 'blocked', 7.3),
    row('domu1', 1, 1, 0, 'blocked', 4.7),
    row('hvm1', 4, 0, 0, 'runnable', 0),
  ]);
  expect(paused).toEqual([
    row('Domain-0', 0, 0, 2, 'running', 89.4),
    row('Domain-0', 0, 1, 1, 'blocked', 136.2),
    row('domu1', 1, 0, 0, 'blocked', 7.7),
    row('domu1', 1, 1, 3, 'blocked', 4.8),
    row('hvm1', 4, 0, 3, 'runnable', 16.5),
  ]);
  expect(renamed).toEqual([
    row('Domain-0', 0, 0, 2, 'running', 89.9),
    row('Domain-0', 0, 1, 1, 'blocked', 136.3),
    row('domu1', 1, 0, 0, 'blocked', 7.7),
    row('domu1', 1, 1, 3, 'blocked', 4.8),
    row('web server (old)', 4, 0, 3, 'blocked', 16.5),
  ]);
});

test('reads vCPUs that are pinned, and those of one domain', () => {
  expect(parseXlVcpuList(readText('xl/credit-pinned.xl-vcpu-list'))).toEqual([
    row('domu1', 1, 0, 2, 'blocked', 311.9),
    row('domu1', 1, 1, 3, 'running', 303.2),
  ]);
});

const capture = readText('xl/credit-storm.xl-vcpu-list');

describe('pvh1 changed as xl would print it', () => {
  const rows = parseXlVcpuList(capture);
  const others = rows.slice(0, 5);
  const pvh1 = rows[5]!;
  /** "%-32s" pads by bytes. */
  const padded = (name: string): string => name + ' '.repeat(Math.max(0, 32 - Buffer.byteLength(name)));
  const renamed = (name: string): string => capture.replace(padded('pvh1'), padded(name));

  test.each([
    'a  b   c',
    '3     0    2   r--     200.7  all / all',
    '-   --p',
    '"quoted" {braces} (7) 1 2 3',
    'exactly-32-characters,-no-gap-12',
    'ünïcødé-😀-ダ-with-more-than-sixty-characters-of-which-some-take-four-bytes',
  ])('named %j', (name) => {
    expect(parseXlVcpuList(renamed(name))).toEqual([...others, { ...pvh1, name }]);
  });

  test('without a name', () => {
    expect(parseXlVcpuList(renamed('(null)'))).toEqual([...others, { ...pvh1, name: undefined }]);
  });

  test('offline', () => {
    const changed = capture.replace('    2   r--     200.7', '    -   --p     200.7');
    expect(parseXlVcpuList(changed)).toEqual([...others, { ...pvh1, cpu: undefined, state: 'offline' }]);
  });

  test('running, and about to block', () => {
    const changed = capture.replace('2   r--     200.7', '2   rb-     200.7');
    expect(parseXlVcpuList(changed)).toEqual([...others, pvh1]);
  });

  test.each(['0-3,8 / all', '12 / none', 'none / 0,2,4-6'])('with the affinity %s', (affinity) => {
    expect(parseXlVcpuList(capture.replace(/all \/ all\n$/, `${affinity}\n`))).toEqual([...others, pvh1]);
  });

  test('with numbers as wide as their columns and wider', () => {
    const changed = capture.replace('3     0    2   r--     200.7', '32751   127 1023   r--  12345678.9');
    expect(parseXlVcpuList(changed)).toEqual([...others, row('pvh1', 32751, 127, 1023, 'running', 12345678.9)]);
  });

  test('with a newline in its name it is left out', () => {
    expect(parseXlVcpuList(renamed('two\nlines'))).toEqual(others);
    expect(parseXlVcpuList(renamed('ends\n'))).toEqual(others);
  });

  test('a name that goes on as a row does speaks for no other vCPU', () => {
    const first = capture.split('\n')[1]!.replace('314.0', '999.9');
    expect(parseXlVcpuList(renamed(`${first}\nevil`))).toEqual([...others, { ...pvh1, name: 'evil' }]);
  });
});

test('an empty name costs no other domain its vCPUs', () => {
  const changed = capture.replaceAll('domu1   ', '        ');
  const expected = parseXlVcpuList(capture).map((vcpu) => (vcpu.domid === 1 ? { ...vcpu, name: '' } : vcpu));
  expect(parseXlVcpuList(changed)).toEqual(expected);
});

test('with a newline in the name of a domain all its vCPUs are left out', () => {
  const changed = capture.replaceAll('domu1   ', 'a\nb     ');
  expect(parseXlVcpuList(changed)).toEqual(parseXlVcpuList(capture).filter(({ domid }) => domid !== 1));
});

const heading = capture.split('\n')[0]!;

test.each([
  ['', 'expected lines that all end in a newline, found no output'],
  [
    readText('xl/rtds-idle.xl-list'),
    'expected a line "Name ... Affinity ...", found "Name                                        ID   Mem VCPUs\\t…"',
  ],
  [`${heading}\n`, 'expected a row "Name ID VCPU CPU State Time(s) ...", found nothing'],
  [`${heading}\n\n`, 'expected a row "Name ID VCPU CPU State Time(s) ...", found nothing'],
  [
    capture.slice(0, -1),
    'expected lines that all end in a newline, found "pvh1                                 3     0    2   r--    …"',
  ],
])('refuses %j', (text, message) => {
  expect(thrownBy(() => parseXlVcpuList(text))).toBe(`ParseError: ${message}`);
});

test('before Xen 4.5 there is one CPU list, and it may be "any cpu"', () => {
  const text = [
    'Name                                ID  VCPU   CPU State   Time(s) CPU Affinity',
    'Domain-0                             0     0    3   r--     430.1  all',
    'web 1                                4     0    1   -b-      22.5  0-3,8',
    'web 1                                4     1    -   --p       0.0  any cpu',
    '',
  ].join('\n');
  expect(parseXlVcpuList(text)).toEqual([
    { domid: 0, name: 'Domain-0', vcpu: 0, cpu: 3, state: 'running', cpuSeconds: 430.1 },
    { domid: 4, name: 'web 1', vcpu: 0, cpu: 1, state: 'blocked', cpuSeconds: 22.5 },
    { domid: 4, name: 'web 1', vcpu: 1, cpu: undefined, state: 'offline', cpuSeconds: 0 },
  ]);
});
