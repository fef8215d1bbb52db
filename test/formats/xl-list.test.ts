import { describe, expect, test } from 'vitest';
import { joinNames } from '../../src/formats/xl-rows.ts';
import { parseXlList, type XlDomain } from '../../src/formats/xl-list.ts';
import { readText } from '../../tools/lib/fixture.ts';
import { thrownBy } from './thrown-by.ts';

const gibibyte = 1024 ** 3;

const states = (...letters: (keyof XlDomain['states'])[]): XlDomain['states'] => ({
  running: letters.includes('running'),
  blocked: letters.includes('blocked'),
  paused: letters.includes('paused'),
  shutdown: letters.includes('shutdown'),
  crashed: letters.includes('crashed'),
  dying: letters.includes('dying'),
});

const domain0 = {
  domid: 0,
  name: 'Domain-0',
  memoryBytes: 2 * gibibyte,
  onlineVcpus: 2,
  states: states('running'),
  uuid: '00000000-0000-0000-0000-000000000000',
};

test('reads the domains of a host with credit, in the storm', () => {
  expect(parseXlList(readText('xl/credit-storm.xl-list-v'))).toEqual([
    { ...domain0, cpuSeconds: 625.3 },
    {
      domid: 1,
      name: 'domu1',
      memoryBytes: 0.5 * gibibyte,
      onlineVcpus: 2,
      states: states(),
      cpuSeconds: 318.1,
      uuid: '6c9ee902-e8b7-484d-b5a1-502d89e835de',
    },
    {
      domid: 2,
      name: 'domu2',
      memoryBytes: 0.5 * gibibyte,
      onlineVcpus: 1,
      states: states('running'),
      cpuSeconds: 249.7,
      uuid: '0641086c-26b3-4a6e-bcab-8d87f07e9f27',
    },
    {
      domid: 3,
      name: 'pvh1',
      memoryBytes: 0.5 * gibibyte,
      onlineVcpus: 1,
      states: states('blocked'),
      cpuSeconds: 200.7,
      uuid: 'c790f258-08d4-4b41-86e8-9938a94a50dc',
    },
  ]);
});

test('reads those of a host with credit2', () => {
  expect(parseXlList(readText('xl/credit2-storm.xl-list-v'))).toEqual([
    { ...domain0, cpuSeconds: 516.8 },
    {
      domid: 1,
      name: 'domu1',
      memoryBytes: 0.5 * gibibyte,
      onlineVcpus: 2,
      states: states('running'),
      cpuSeconds: 248.2,
      uuid: '921c0221-f5a8-46f2-be2d-440476f9edf9',
    },
    {
      domid: 2,
      name: 'domu2',
      memoryBytes: 0.5 * gibibyte,
      onlineVcpus: 1,
      states: states(),
      cpuSeconds: 151.1,
      uuid: 'ce407175-04de-4da7-9fd9-adf6a916cf83',
    },
    {
      domid: 3,
      name: 'pvh1',
      memoryBytes: 0.5 * gibibyte,
      onlineVcpus: 1,
      states: states('blocked'),
      cpuSeconds: 143,
      uuid: 'b5d543b8-3de8-4911-8c97-e4a5b6943ecb',
    },
  ]);
});

test('reads an HVM guest that is being created, is paused, is renamed', () => {
  const domu1 = {
    domid: 1,
    name: 'domu1',
    memoryBytes: 0.5 * gibibyte,
    onlineVcpus: 2,
    states: states('blocked'),
    uuid: 'b3a34ef7-4acd-409b-9446-2c7367481c0a',
  };
  const hvm1 = { domid: 4, name: 'hvm1', uuid: '666f82a8-93e6-45b2-a866-f82b05922b77' };
  const running = { ...hvm1, memoryBytes: 0.5 * gibibyte, onlineVcpus: 1, cpuSeconds: 16.5 };
  expect(parseXlList(readText('xl/credit-hvm-creating.xl-list-v'))).toEqual([
    { ...domain0, cpuSeconds: 133.7 },
    { ...domu1, cpuSeconds: 12 },
    { ...hvm1, memoryBytes: 511 * 1024 ** 2, onlineVcpus: 0, states: states('paused'), cpuSeconds: 0 },
  ]);
  expect(parseXlList(readText('xl/credit-hvm-paused.xl-list-v'))).toEqual([
    { ...domain0, cpuSeconds: 225.5 },
    { ...domu1, cpuSeconds: 12.5 },
    { ...running, states: states('blocked', 'paused') },
  ]);
  expect(parseXlList(readText('xl/credit-hvm-renamed.xl-list-v'))).toEqual([
    { ...domain0, cpuSeconds: 226.1 },
    { ...domu1, cpuSeconds: 12.5 },
    { ...running, name: 'web server (old)', states: states('blocked') },
  ]);
});

const capture = readText('xl/credit-storm.xl-list-v');

describe('pvh1 changed as xl would print it', () => {
  const rows = parseXlList(capture);
  const others = rows.slice(0, 3);
  const pvh1 = rows[3]!;
  /** "%-40s" pads by bytes. */
  const padded = (name: string): string => name + ' '.repeat(Math.max(0, 40 - Buffer.byteLength(name)));
  const renamed = (name: string): string => capture.replace(padded('pvh1'), padded(name));

  test.each([
    'a  b   c',
    '3   512     1',
    `x ${'-b----'}     200.7`,
    '"quoted" {braces} \\n $(x) `y`',
    'web server (old)',
    'exactly-forty-characters-which-is-no-gap',
    'ünïcødé-😀-ダ-with-more-than-sixty-characters-of-which-some-take-four-bytes',
    'next\u2028line\u0085and\r.',
    '(null) and void',
  ])('named %j', (name) => {
    expect(parseXlList(renamed(name))).toEqual([...others, { ...pvh1, name }]);
  });

  test('without a name', () => {
    expect(parseXlList(renamed('(null)'))).toEqual([...others, { ...pvh1, name: undefined }]);
  });

  test.each([
    ['--ps--', '       0', states('paused', 'shutdown')],
    ['---sc-', '       3', states('shutdown', 'crashed')],
    ['---sw-', '       4', states('shutdown')],
    ['---s?-', 'ffffffff', states('shutdown')],
    ['--ps-d', '       0', states('paused', 'shutdown', 'dying')],
    ['rb----', '       -', states('running', 'blocked')],
  ])('in state %s, reason %s', (letters, reason, expected) => {
    const changed = capture.replace(/-b----(.*) {8}-( +-\n)$/, `${letters}$1 ${reason}$2`);
    expect(parseXlList(changed)).toEqual([...others, { ...pvh1, states: expected }]);
  });

  test('with more memory and CPU time than the columns have room for, and a security label', () => {
    const changed = capture
      .replace(/512 {5}1( +-b----) {5}200\.7/, '2097152     1$1  123456789.1')
      .replace(/ {16}-\n$/, ' system_u:system_r:domU_t\n');
    expect(parseXlList(changed)).toEqual([
      ...others,
      { ...pvh1, memoryBytes: 2097152 * 1024 ** 2, cpuSeconds: 123456789.1 },
    ]);
  });

  test('with a newline in its name it is left out', () => {
    expect(parseXlList(renamed('two\nlines'))).toEqual(others);
    expect(parseXlList(renamed('\nbegins'))).toEqual(others);
    expect(parseXlList(renamed('ends\n'))).toEqual(others);
  });

  test('a name that goes on as a row does speaks for no other domain', () => {
    const rowOf0 = capture.split('\n')[1]!.replace('625.3', '999.9');
    expect(parseXlList(renamed(`${rowOf0}\nevil`))).toEqual([...others, { ...pvh1, name: 'evil' }]);
    expect(parseXlList(renamed(`${rowOf0}\n`))).toEqual([...others, { ...pvh1, name: '' }]);
    expect(parseXlList(renamed(`x\n${rowOf0}\nevil`))).toEqual([...others, { ...pvh1, name: 'evil' }]);
  });

  test('a name with line ends that is known speaks for no other domain', () => {
    const rowOf9 = capture.split('\n')[1]!.replace(/(?<= )0(?= )/, '9');
    for (const name of [`${rowOf9}\nevil`, `\n${rowOf9}\n`, 'two\nlines', 'ends\n']) {
      const joined = joinNames(renamed(name), [
        { domid: 0, name: 'Domain-0' },
        { domid: pvh1.domid, name },
      ]);
      expect(parseXlList(joined)).toEqual([...others, { ...pvh1, name: name.replaceAll('\n', '\ufffd') }]);
    }
    expect(parseXlList(renamed(`${rowOf9}\nevil`)).map(({ domid }) => domid)).toContain(9);
  });

  test('a name with a line end that looks like rows of two others takes neither away', () => {
    const [, first, second] = capture.split('\n');
    const name = `${first}\n${second!.split(' ')[0]}`;
    const domains = [{ domid: pvh1.domid, name }];
    const joined = joinNames(renamed(name), domains);
    expect(parseXlList(joined)).toEqual([...others, { ...pvh1, name: name.replace('\n', '\ufffd') }]);
    // If that domain is not listed.
    expect(joinNames(capture, domains)).toBe(capture);
  });

  test('without any character in its name it is there, and so is the row before it', () => {
    for (const name of ['', ' ', ' '.repeat(60)])
      expect(parseXlList(renamed(name))).toEqual([...others, { ...pvh1, name: '' }]);
  });
});

const heading = capture.split('\n')[0]!;

test.each([
  ['', 'expected lines that all end in a newline, found no output'],
  ['\n', 'expected a line "Name ... UUID ...", found an empty line'],
  [
    readText('xl/rtds-idle.xl-list'),
    'expected a line "Name ... UUID ...", found "Name                                        ID   Mem VCPUs\\t…"',
  ],
  [`${heading}\n`, 'expected a row "Name ID Mem VCPUs State Time(s) UUID ...", found nothing'],
  [`${heading}\nDomain-0 0\n`, 'expected a row "Name ID Mem VCPUs State Time(s) UUID ...", found "Domain-0 0"'],
  [
    capture.slice(0, -30),
    'expected lines that all end in a newline, found "pvh1                                         3   512     1 …"',
  ],
  [
    capture.slice(0, -1),
    'expected lines that all end in a newline, found "pvh1                                         3   512     1 …"',
  ],
])('refuses %j', (text, message) => {
  expect(thrownBy(() => parseXlList(text))).toBe(`ParseError: ${message}`);
});
