import { expect, test } from 'vitest';
import { ParseError, quote } from '../../src/formats/parse-error.ts';

test('says what was expected and what was found', () => {
  const error = new ParseError('a line "cpu ..."', quote(''));
  expect(error).toBeInstanceOf(Error);
  expect({ name: error.name, message: error.message }).toEqual({
    name: 'ParseError',
    message: 'expected a line "cpu ...", found an empty file',
  });
});

test('quotes at most 60 characters', () => {
  expect(quote('a'.repeat(60))).toBe(`"${'a'.repeat(60)}"`);
  expect(quote('a'.repeat(61))).toBe(`"${'a'.repeat(59)}…"`);
});

test('escapes what a terminal or a log would act on', () => {
  expect(quote('\u001b[2J\n"\\\u007f\u009b\u2028')).toBe('"\\u001b[2J\\n\\"\\\\\\u007f\\u009b\\u2028"');
});

test('does not cut a character in two without saying so', () => {
  expect(quote(`${'a'.repeat(58)}\u{1f600}bb`)).toBe(`"${'a'.repeat(58)}\\ud83d…"`);
});

test('names what is empty', () => {
  expect([quote(''), quote('', 'an empty line')]).toEqual(['an empty file', 'an empty line']);
});
