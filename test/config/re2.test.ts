import { expect, test } from 'vitest';
import { isRe2 } from '../../src/config/re2.ts';

// Both lists are results of Go 1.26's regexp/syntax.
test.each([
  ...[
    'xen',
    'xen-.*|dom0',
    'xen\\-guest',
    'a|',
    '(?i)xen',
    '(?i:xen)',
    '(?P<n>a)',
    '(?<n>a)',
    'a{2,3}?',
    'a{,2}',
    '{',
    ']',
    '}',
  ],
  ...[
    '[]a]',
    '[^]a]',
    '[a-]',
    '[\\d-z]',
    '[[:alpha:]-]',
    '\\pL',
    '\\p{Greek}',
    '\\P{^Lu}',
    '\\x{41}\\x41\\12',
    '\\Qa(b\\E',
    '\\Aü\\z',
  ],
])('%s is a regular expression', (source) => expect(isRe2(source)).toBe(true));

test.each([
  ...['(', ')', 'a)(b', '[', '[a', '[]', '*', 'a**', 'a|*', '(*)', 'a{1001}', 'a{2,1}', 'a{2}{3}', '\\', '\\Qa'],
  ...[
    '(?=a)',
    '(?!a)',
    '(?<=a)',
    '(?<!a)',
    '(?>a)',
    '(a)\\1',
    '(?<n>a)\\k<n>',
    '\\u0041',
    '\\cA',
    '\\Z',
    '\\C',
    '\\p{Foo}',
  ],
  ...['\\x{110000}', '[z-a]', '[a-\\d]', '[[:foo:]]', '[\\b]', '(?x)a', '(?P=n)'],
])('%s is none', (source) => expect(isRe2(source)).toBe(false));
