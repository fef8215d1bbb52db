import fc from 'fast-check';
import { expect, test } from 'vitest';
import { printable } from '../../src/formats/printable.ts';

test.each([
  ['a newline', 'web\ncurl', 'web\ufffdcurl'],
  ['an escape sequence', 'web\u001b[2J', 'web\ufffd[2J'],
  ['one of eight bits', 'web\u009b2J', 'web\ufffd2J'],
  ['the end of a bracketed paste', '\u001b[201~reboot\r', '\ufffd[201~reboot\ufffd'],
  ['DEL and NUL', 'a\u007fb\0', 'a\ufffdb\ufffd'],
  ['a turned direction', 'web\u202egpj', 'web\ufffdgpj'],
  ['an invisible character', 'we\u200bb', 'we\ufffdb'],
  ['a letter without a shape', 'web\u3164', 'web\ufffd'],
  ['a blank of Braille', 'web\u2800', 'web\ufffd'],
  ['a variant of a letter', 'web\ufe0f\u{e0100}', 'web\ufffd\ufffd'],
  ['line separators', 'a\u2028b\u2029c', 'a\ufffdb\ufffdc'],
  ['half a character', 'a\ud800', 'a\ufffd'],
  ['letters of all kinds', 'büro 東京 \u{1f600}', 'büro 東京 \u{1f600}'],
])('%s', (_, text, shown) => expect(printable(text)).toBe(shown));

test('of whatever text: every ASCII character that is not a control stays, no control does', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary' }), (text) => {
      const shown = printable(text);
      // eslint-disable-next-line no-control-regex
      expect(shown).not.toMatch(/[\u0000-\u001f\u007f-\u009f\u2028-\u202e\u2066-\u2069]/);
      expect(printable(shown)).toBe(shown);
      expect(shown).toHaveLength(
        text.replace(/[\u{10000}-\u{10ffff}]/gu, (each) => (printable(each) === each ? each : '.')).length,
      );
    }),
  );
});
