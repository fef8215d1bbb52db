import { expect, test } from 'vitest';
import { parseXlListLong } from '../../src/formats/xl-list-long.ts';
import { readText } from '../../tools/lib/fixture.ts';
import { thrownBy } from './thrown-by.ts';

const gibibyte = 1024 ** 3;

const domain0 = {
  domid: 0,
  name: 'Domain-0',
  uuid: undefined,
  type: 'pv',
  maxMemoryBytes: 2 * gibibyte,
  hasStubDomain: false,
  nics: [],
};

const guest = (domid: number, name: string, uuid: string, type: string, mac: string): object => ({
  domid,
  name,
  uuid,
  type,
  maxMemoryBytes: 0.5 * gibibyte,
  hasStubDomain: false,
  nics: [{ devid: 0, mac, bridge: 'xenbr0', backendDomid: 0, backendName: undefined }],
});

test('reads PV and PVH guests', () => {
  expect(parseXlListLong(readText('xl/credit-storm.xl-list-l'))).toEqual([
    domain0,
    guest(1, 'domu1', '6c9ee902-e8b7-484d-b5a1-502d89e835de', 'pv', '00:16:3e:00:01:01'),
    guest(2, 'domu2', '0641086c-26b3-4a6e-bcab-8d87f07e9f27', 'pv', '00:16:3e:00:02:01'),
    guest(3, 'pvh1', 'c790f258-08d4-4b41-86e8-9938a94a50dc', 'pvh', '00:16:3e:00:03:01'),
  ]);
  expect(parseXlListLong(readText('xl/rtds-storm.xl-list-l'))).toEqual([
    domain0,
    guest(1, 'domu1', 'b05cd6cb-49e5-4f3a-89c9-5dac87b63b2a', 'pv', '00:16:3e:00:01:01'),
    guest(2, 'domu2', '623f6dfb-cd40-4061-a6de-e9883cdb7d70', 'pv', '00:16:3e:00:02:01'),
    guest(3, 'pvh1', 'a7a8be40-62fa-4ca6-bc49-c4389c0e6e02', 'pvh', '00:16:3e:00:03:01'),
  ]);
});

const capture = readText('xl/credit-hvm-idle.xl-list-l');

test('reads an HVM guest', () => {
  expect(parseXlListLong(capture)).toEqual([
    domain0,
    guest(1, 'domu1', 'b3a34ef7-4acd-409b-9446-2c7367481c0a', 'pv', '00:16:3e:00:01:01'),
    guest(3, 'hvm1', 'bec3416d-78b4-4390-bd1f-49713f6724d9', 'hvm', '00:16:3e:00:04:01'),
  ]);
});

/** The capture with the last domain changed. */
const changed = (from: string | RegExp, to: string): string => {
  const at = capture.lastIndexOf('"domid": 3');
  return capture.slice(0, at) + capture.slice(at).replace(from, to);
};

const hvm1 = (text: string): unknown => parseXlListLong(text)[2];

test('reads a nic whose backend is another domain', () => {
  expect(hvm1(changed('"devid": 0', '"backend_domid": 5, "backend_domname": "net", "devid": 2'))).toMatchObject({
    nics: [{ devid: 2, mac: '00:16:3e:00:04:01', bridge: 'xenbr0', backendDomid: 5, backendName: 'net' }],
  });
});

test.each([
  ['"True"', true],
  ['"False"', false],
  ['"<default>"', false],
  ['true', false],
])('device_model_stubdomain is %s', (value, hasStubDomain) => {
  expect(hvm1(changed('"max_memkb"', `"device_model_stubdomain": ${value}, "max_memkb"`))).toMatchObject({
    hasStubDomain,
  });
});

test('leaves out a nic that has no number yet', () => {
  expect(hvm1(changed('"devid": 0,', ''))).toMatchObject({ name: 'hvm1', nics: [] });
});

test('a nic may have a number alone', () => {
  expect(hvm1(changed(/"devid": 0,[^}]*/, '"devid": 0'))).toMatchObject({
    nics: [{ devid: 0, mac: undefined, bridge: undefined, backendDomid: 0, backendName: undefined }],
  });
});

test('has no type for one that is not known, and no limit where memory has none', () => {
  expect(hvm1(changed('"hvm"', '"invalid"'))).toMatchObject({ type: undefined });
  expect(hvm1(changed('"max_memkb": 524288', '"max_memkb": 18446744073709551615'))).toMatchObject({
    maxMemoryBytes: undefined,
  });
  expect(hvm1(changed('"max_memkb": 524288,', ''))).toMatchObject({ maxMemoryBytes: undefined });
});

test('no domain', () => {
  expect(parseXlListLong('[\n\n]\n\n')).toEqual([]);
});

test.each([
  ['no output', '', 'expected JSON, found no output'],
  [
    'half of it',
    capture.slice(0, -4),
    'expected JSON, found "[\\n    {\\n        \\"domid\\": 0,\\n        \\"config\\": {\\n           …"',
  ],
  ['an object', '{}\n', 'expected an array as domains, found "{}"'],
  ['a number', '[1]\n', 'expected an object as domains[0], found "1"'],
  ['a domain without config', '[{"domid": 0}]\n', 'expected an object as domains[0].config, found nothing'],
  [
    'null for c_info',
    '[{"domid": 0, "config": {"c_info": null}}]\n',
    'expected an object as domains[0].config.c_info, found nothing',
  ],
  ['no domid', changed('3', 'null'), 'expected a whole number as domains[2].domid, found nothing'],
  ['an array for the name', changed('"hvm1"', '[]'), 'expected a string as domains[2].config.c_info.name, found "[]"'],
  ['a number for the type', changed('"hvm"', '3'), 'expected a string as domains[2].config.c_info.type, found "3"'],
  ['no b_info', changed('"b_info"', '"d_info"'), 'expected an object as domains[2].config.b_info, found nothing'],
  [
    'a string for nics',
    changed(/"nics": \[[^\]]*\]/, '"nics": "none"'),
    'expected an array as domains[2].config.nics, found "\\"none\\""',
  ],
  [
    'a negative devid',
    changed('"devid": 0', '"devid": -2'),
    'expected a whole number as domains[2].config.nics[0].devid, found "-2"',
  ],
  [
    'an object for the MAC address',
    changed('"00:16:3e:00:04:01"', '{}'),
    'expected a string as domains[2].config.nics[0].mac, found "{}"',
  ],
])('refuses %s', (_what, text, message) => {
  expect(thrownBy(() => parseXlListLong(text))).toBe(`ParseError: ${message}`);
});

test('before Xen 4.5 what is not set is null', () => {
  const nic = { backend_domid: null, backend_domname: null, devid: 0, mac: null, bridge: 'xenbr0' };
  const config = {
    c_info: { type: 'pv', name: 'web', uuid: null },
    b_info: { max_memkb: null, device_model_stubdomain: null },
    disks: null,
    nics: [nic, { ...nic, devid: null }],
  };
  expect(parseXlListLong(JSON.stringify([{ domid: 4, config }]))).toEqual([
    {
      domid: 4,
      name: 'web',
      uuid: undefined,
      type: 'pv',
      maxMemoryBytes: undefined,
      hasStubDomain: false,
      nics: [{ devid: 0, mac: undefined, bridge: 'xenbr0', backendDomid: 0, backendName: undefined }],
    },
  ]);
});

test('numbers may be texts, and -1 is the number of a nic that has none', () => {
  const nic = { devid: '1', backend_domid: '5', mac: 'a' };
  const config = { c_info: {}, b_info: { max_memkb: '1024' }, nics: [nic, { ...nic, devid: -1 }] };
  expect(parseXlListLong(JSON.stringify([{ domid: '4', config }]))).toMatchObject([
    { domid: 4, maxMemoryBytes: 1024 ** 2, nics: [{ devid: 1, backendDomid: 5 }] },
  ]);
});

test('a broken domain, nic or value costs itself alone', () => {
  const errors: string[] = [];
  const good = { c_info: { name: 'web', type: 'pv' }, b_info: { max_memkb: 1 }, nics: [{ devid: 0 }] };
  const domains = [
    { domid: null, config: good },
    null,
    { domid: 1, config: null },
    { domid: 2, config: { ...good, b_info: null, nics: [{ devid: 'x' }, 7, { devid: 1 }] } },
    { domid: 3, config: { ...good, c_info: { name: 5, type: {} }, nics: 'none' } },
    { domid: 4, config: good },
  ];
  const found = parseXlListLong(JSON.stringify(domains), ({ message }) => errors.push(message));
  expect(found).toMatchObject([
    { domid: 2, name: 'web', maxMemoryBytes: undefined, hasStubDomain: false, nics: [{ devid: 1 }] },
    { domid: 3, name: undefined, type: undefined, maxMemoryBytes: 1024, nics: [] },
    { domid: 4, name: 'web', type: 'pv', nics: [{ devid: 0 }] },
  ]);
  expect(errors.map((message) => / as ([^,]+),/.exec(message)![1])).toEqual([
    'domains[0].domid',
    'domains[1]',
    'domains[2].config',
    'domains[3].config.b_info',
    'domains[3].config.b_info',
    'domains[3].config.nics[0].devid',
    'domains[3].config.nics[1]',
    'domains[4].config.c_info.name',
    'domains[4].config.c_info.type',
    'domains[4].config.nics',
  ]);
});
