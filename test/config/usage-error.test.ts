import { describe, expect, test } from 'vitest';
import { parseConfigFile } from '../../src/config/config-file.ts';
import { UsageError, usageErrorOf } from '../../src/config/usage-error.ts';
import { parseWebConfig } from '../../src/web/config/web-config.ts';

const numbers = (count: number): number[] => Array.from({ length: count }, (_, index) => index + 1);

test('ten faults have a line each', () => {
  expect(usageErrorOf(numbers(10), (fault) => `line ${fault}`)).toEqual(
    new UsageError(
      numbers(10)
        .map((fault) => `line ${fault}`)
        .join('\n'),
    ),
  );
});

test('of more, nine are described and the others counted', () => {
  const described: number[] = [];
  const error = usageErrorOf(numbers(20_000), (fault) => {
    described.push(fault);
    return `line ${fault}`;
  });
  expect(described).toEqual(numbers(9));
  expect(error.message).toBe([...numbers(9).map((fault) => `line ${fault}`), 'and 19991 more errors'].join('\n'));
});

describe('a web config with 20 000 broken users', () => {
  const errorsOf = (lineOf: (user: number) => string): string[] => {
    const file = parseConfigFile('x.yml', `basic_auth_users:\n${numbers(20_000).map(lineOf).join('\n')}\n`);
    try {
      parseWebConfig(file);
    } catch (error) {
      return (error as UsageError).message.split('\n');
    }
    return [];
  };

  test('in a mapping', () => {
    const lines = errorsOf((user) => `  user${user}: no-hash`);
    expect(lines).toHaveLength(10);
    expect(lines[8]).toContain('x.yml:10: basic_auth_users.user9: expected a bcrypt hash');
    expect(lines[9]).toBe('and 19991 more errors');
  });

  test('in a list', () => {
    const lines = errorsOf((user) => `  - no-hash-${user}`);
    expect(lines).toEqual(['x.yml:1: basic_auth_users: expected a mapping of user names to bcrypt hashes']);
  });
});

test.each([
  ['a key', `${'k'.repeat(1e6)}: 1\n`],
  ['a key of many lines', `"${String.raw`k\n`.repeat(3e5)}": 1\n`],
  ['a tag', `a: !<${'t'.repeat(1e6)}> b\n`],
])('%s as long as the file does not make the message as long', (_, source) => {
  expect(() => parseWebConfig(parseConfigFile('x.yml', source))).toThrow(/^x\.yml:1: [^]{0,8200}\.\.\.$/);
});
