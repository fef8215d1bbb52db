const beginOf = (marker: string): string => `<!-- ${marker}: made by npm run docs. -->\n<!-- prettier-ignore-start -->`;
const end = '<!-- prettier-ignore-end -->';

/** Empty markers of a part, to be added to a page. */
export const emptyPart = (marker: string): string => `${beginOf(marker)}\n\n${end}\n`;

/** Whether a page has a part's markers. */
export const hasPart = (page: string, marker: string): boolean => page.includes(beginOf(marker));

/** A part of a page that `npm run docs` writes. */
export interface GeneratedPart {
  /** Path of the page, for errors. */
  readonly path: string;
  /** Name in the comment that starts the part. */
  readonly marker: string;
}

/** Replaces the text between a part's markers. Throws if the page lacks a marker. */
export const withPart = (page: string, { path, marker }: GeneratedPart, text: string): string => {
  const begin = beginOf(marker);
  const beginAt = page.indexOf(begin);
  if (beginAt < 0) throw new Error(`${path}: expected ${JSON.stringify(begin)}, found none`);
  const endAt = page.indexOf(end, beginAt);
  if (endAt < 0) throw new Error(`${path}: expected "${end}" after the marker "${marker}", found none`);
  return `${page.slice(0, beginAt + begin.length)}\n\n${text}\n\n${page.slice(endAt)}`;
};
