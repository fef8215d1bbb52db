import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { ParseError } from '../../src/formats/parse-error.ts';
import { parseXcpRrdd, xcpRrddBytes } from '../../src/formats/xcp-rrdd.ts';
import { thrownBy } from './thrown-by.ts';
import { type Datasource, metadataOf, timestampOf, xcpRrddFile } from '../../tools/lib/xcp-rrdd-file.ts';

const vm1 = '6c9ee902-e8b7-484d-b5a1-502d89e835de';
const vm2 = '0641086c-26b3-4a6e-bcab-8d87f07e9f27';
const now = 1_700_000_000.25;

// The payload of ocaml/xcp-rrdd/test/transport/test_common.ml. Bytes and CRCs are from an independent program.
const payload: Datasource[] = [
  { name: 'test_int1', owner: 'host', value: 1234, valueType: 'int64' },
  { name: 'test_int2', owner: 'sr test_sr', value: 5678, valueType: 'int64' },
  { name: 'test_float1', owner: 'vm test_vm', value: 987.654 },
];
const payloadSeconds = 1387867223;
const payloadValues = '00000000000004d2' + '000000000000162e' + '408edd3b645a1cac';

const twoVms: Datasource[] = [
  { name: 'cpu0', owner: 'host', value: 5 },
  { name: 'cpu0', owner: `vm ${vm2}`, value: 1.5 },
  { name: 'runstate_fullrun', owner: `vm ${vm2}`, value: 2.5 },
  { name: 'cpu0', owner: `vm ${vm1}`, value: 3.5 },
  { name: 'runstate_fullrun', owner: `vm ${vm1}`, value: 0.000000001 },
  { name: 'running_vcpus', owner: 'host', value: 3, valueType: 'int64' },
];
const ofTwoVms = [
  { name: 'cpu0', vm: vm2, value: 1.5 },
  { name: 'runstate_fullrun', vm: vm2, value: 2.5 },
  { name: 'cpu0', vm: vm1, value: 3.5 },
  { name: 'runstate_fullrun', vm: vm1, value: 0.000000001 },
];

describe('the payload of the tests of xcp-rrdd', () => {
  test.each([
    ['an int64, as up to xapi 24.39', timestampOf.int64(payloadSeconds), '0000000052b92c57', '4bf76602'],
    ['a double, as since xapi 24.40', timestampOf.double(payloadSeconds), '41d4ae4b15c00000', '4fcf8b7e'],
  ])('with a timestamp that is %s', (_what, timestamp, word, crc) => {
    const bytes = xcpRrddFile(0, payload, { timestamp });
    expect(bytes.toString('hex', 23, 55)).toBe(word + payloadValues);
    expect(bytes.toString('hex', 11, 15)).toBe(crc);
    expect(parseXcpRrdd(bytes)).toEqual({
      timestampSeconds: payloadSeconds,
      datasources: [{ name: 'test_float1', vm: 'test_vm', value: 987.654 }],
    });
  });

  test('with any other timestamp', () => {
    const bytes = xcpRrddFile(0, payload, { timestamp: timestampOf.double(-payloadSeconds) });
    expect(thrownBy(() => parseXcpRrdd(bytes))).toBe(
      'ParseError: expected a timestamp that is an int64 or a double, found a first byte of 0xc1',
    );
  });
});

test('two VMs have datasources of the same names', () => {
  expect(parseXcpRrdd(xcpRrddFile(now, twoVms))).toEqual({ timestampSeconds: now, datasources: ofTwoVms });
});

test('a part of a double second is kept, a value of int64 is a number', () => {
  const reading = parseXcpRrdd(xcpRrddFile(now, [{ name: 'a', owner: `vm ${vm1}`, value: -7, valueType: 'int64' }]));
  expect(reading).toEqual({ timestampSeconds: now, datasources: [{ name: 'a', vm: vm1, value: -7 }] });
});

test('no datasources', () => {
  expect(parseXcpRrdd(xcpRrddFile(now, []))).toEqual({ timestampSeconds: now, datasources: [] });
});

test('owners are read in any case; what belongs to nobody we know is left out, and so is what has no owner', () => {
  const owners = [`VM ${vm1.toUpperCase()}`, 'Host', 'sr 1', 'pool', 'vm', 'vm a b', `vm ${vm2}`];
  const datasources = owners.map((owner, value): Datasource => ({ name: 'x', owner, value }));
  const metadata = metadataOf(datasources).replace(`"owner":"pool",`, '');
  expect(parseXcpRrdd(xcpRrddFile(now, datasources, { metadata })).datasources).toEqual([
    { name: 'x', vm: vm1, value: 0 },
    { name: 'x', vm: vm2, value: 6 },
  ]);
});

test('braces, quotes, backslashes and other scripts inside texts', () => {
  const odd = ['}', '{"a":{', '"}},"x":{', '\\', '\\"', '\\\\"}', 'größer \ud83d\ude00', ',\n:'];
  const datasources = odd.map((text, value): Datasource => ({
    name: text,
    owner: `vm ${vm1}`,
    value,
    description: text,
  }));
  expect(parseXcpRrdd(xcpRrddFile(now, datasources)).datasources).toEqual(
    odd.map((name, value) => ({ name, vm: vm1, value })),
  );
});

test('metadata with white space, as the documentation shows them', () => {
  const metadata = JSON.stringify({ datasources: { a: { owner: `vm ${vm1}`, value_type: 'float' } } }, undefined, 2);
  const datasources = [{ name: 'a', owner: '', value: 1 }];
  expect(parseXcpRrdd(xcpRrddFile(now, datasources, { metadata: `${metadata}\n` })).datasources).toEqual([
    { name: 'a', vm: vm1, value: 1 },
  ]);
});

test('a NUL behind the metadata, counted in length and CRC, as librrd writes it', () => {
  const metadata = `${metadataOf(twoVms)}\0`;
  expect(parseXcpRrdd(xcpRrddFile(now, twoVms, { metadata })).datasources).toEqual(ofTwoVms);
});

describe('what cannot be right', () => {
  const whole = xcpRrddFile(now, twoVms, {}, 0);
  const metadataBytes = metadataOf(twoVms).length;
  const found = (bytes: Uint8Array): string => thrownBy(() => parseXcpRrdd(bytes));
  const withMetadata = (metadata: string): string => found(xcpRrddFile(now, twoVms, { metadata }));

  test('values that do not match their CRC', () => {
    expect(found(xcpRrddFile(now, twoVms, { dataCrc: 0xabc }))).toMatch(
      /^ParseError: expected values with the CRC 00000abc, found some with [0-9a-f]{8}$/,
    );
  });

  test('metadata that do not match theirs', () => {
    expect(found(xcpRrddFile(now, twoVms, { metadataCrc: 0xabc }))).toMatch(
      /^ParseError: expected metadata with the CRC 00000abc, found some with [0-9a-f]{8}$/,
    );
  });

  test('one name more or less than there are values', () => {
    expect(withMetadata(metadataOf(twoVms.slice(1)))).toBe(
      'ParseError: expected metadata of 6 datasources, found metadata of 5',
    );
    expect(withMetadata(metadataOf([...twoVms, twoVms[0]!]))).toBe(
      'ParseError: expected metadata of 6 datasources, found metadata of 7',
    );
  });

  test('a count or a length beyond the file', () => {
    expect(found(xcpRrddFile(now, twoVms, { count: 0xffffffff }, 0))).toBe(
      `ParseError: expected 4294967295 values and their metadata in ${35 + 8 * 0xffffffff} bytes, found ${whole.length} bytes`,
    );
    expect(found(xcpRrddFile(now, twoVms, { metadataBytes: metadataBytes + 1 }, 0))).toBe(
      `ParseError: expected 6 values and their metadata in ${whole.length + 1} bytes, found ${whole.length} bytes`,
    );
  });

  test.each([
    ['an empty file', new Uint8Array(), 'at least 35 bytes, found 0 bytes'],
    ['zeros', new Uint8Array(4096), '"DATASOURCES", found ' + JSON.stringify('\0'.repeat(11))],
    [
      'version 1 of the protocol',
      Buffer.from('DATASOURCES000001e4\ndba4bf7a84b6d11d565d19ef91f7906e\n{}'),
      // Version 1 has a hexadecimal length and MD5 in place of version 2's count.
      `${0x0a646261} values and their metadata in ${35 + 8 * 0x0a646261} bytes, found 55 bytes`,
    ],
  ])('%s', (_what, bytes, message) => expect(found(bytes)).toBe(`ParseError: expected ${message}`));

  test.each([
    ['', '"{" in the metadata, found its end'],
    ['[]', '"{" in the metadata, found "[]"'],
    ['{"a":{}}', 'the key "datasources" in the metadata, found "a"'],
    ['{"datasources":[]}', '"{" in the metadata, found "[]}"'],
    ['{"datasources":{}', '"}" in the metadata, found its end'],
    ['{"datasources":{}} {', 'nothing more in the metadata, found "{"'],
    ['{"datasources":{"a":1}}', '"{" in the metadata, found "1}}"'],
    ['{"datasources":{"a":{', '"}" in the metadata, found its end'],
    ['{"datasources":{"a', 'the end of a string in the metadata, found its end'],
    ['{"datasources":{"a":{"b\\', 'the end of a string in the metadata, found its end'],
    ['{"datasources":{"a":{"b"}}}', 'JSON in the metadata, found "{\\"b\\"}"'],
    ['{"datasources":{"a":{},}}', 'a string in the metadata, found "}}"'],
  ])('metadata %s', (metadata, message) => expect(withMetadata(metadata)).toBe(`ParseError: expected ${message}`));

  test('a type of value that nobody knows', () => {
    expect(found(xcpRrddFile(now, [{ name: 'a', owner: 'host', value: 1, valueType: 'text' }]))).toBe(
      'ParseError: expected a value_type of float or int64, found "text" at "a"',
    );
  });

  test('nothing else is thrown, whatever the bytes', () => {
    const metadata = fc.string({ unit: fc.constantFrom('{', '}', '"', ':', ',', '\\', ' ', '\0', 'a', '1') });
    const start = fc.constantFrom('', '{"datasources":{', '{"datasources":{"a":{', '{"datasources":{"a":{}');
    const file = fc.oneof(
      fc.uint8Array({ maxLength: 100 }),
      fc.uint8Array({ maxLength: 100 }).map((tail) => Buffer.concat([Buffer.from('DATASOURCES'), tail])),
      fc.tuple(start, metadata).map((parts) => xcpRrddFile(now, twoVms, { metadata: parts.join('') }, 0)),
      fc.nat({ max: whole.length - 1 }).map((length) => whole.subarray(0, length)),
    );
    fc.assert(
      fc.property(file, (bytes) => {
        expect(() => parseXcpRrdd(bytes)).toThrow(ParseError);
      }),
      { numRuns: 2000 },
    );
  });
});

describe('how much of a file it takes', () => {
  const bytes = xcpRrddFile(now, twoVms);
  const length = bytes.length - 4096;

  test.each([
    ['nothing', 0, 31],
    ['the count', 31, 35 + 8 * 6],
    ['the length of the metadata', 35 + 8 * 6, length],
    ['all', bytes.length, length],
  ])('where %s was read', (_what, read, needed) => {
    expect(xcpRrddBytes(bytes.subarray(0, read))).toBe(needed);
  });

  test('no more of what is something else', () => {
    expect(xcpRrddBytes(new Uint8Array(64).fill(0xff))).toBe(64);
  });
});
