import { expect, test } from 'vitest';
import { withPart } from '../../../tools/docs/markers.ts';

const begin = (marker: string): string => `<!-- ${marker}: made by npm run docs. -->\n<!-- prettier-ignore-start -->`;
const end = '<!-- prettier-ignore-end -->';
const page = `# Page\n\n${begin('Flags')}\n\nold\n\n${end}\n\n${begin('Facts')}\n\nold too\n\n${end}\n\nThe end.\n`;

test('replaces the part that the marker begins, and no other', () => {
  expect(withPart(page, { path: 'page.md', marker: 'Facts' }, 'new')).toBe(page.replace('old too', 'new'));
  expect(withPart(page, { path: 'page.md', marker: 'Flags' }, 'new')).toBe(page.replace('old\n', 'new\n'));
});

test.each([
  [
    'Settings',
    String.raw`docs/page.md: expected "<!-- Settings: made by npm run docs. -->\n<!-- prettier-ignore-start -->", found none`,
  ],
  ['Facts', 'docs/page.md: expected "<!-- prettier-ignore-end -->" after the marker "Facts", found none'],
])('without the markers of %s an error names the page and the marker', (marker, message) => {
  const cut = page.slice(0, page.lastIndexOf(end));
  expect(() => withPart(cut, { path: 'docs/page.md', marker }, '')).toThrow(new Error(message));
});
