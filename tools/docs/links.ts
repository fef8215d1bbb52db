/** A page without its code blocks. */
export const withoutBlocks = (page: string): string => page.replaceAll(/^ *(`{3,})[^]*?^ *\1`*$/gm, '');

/** A page without code, which contains no links. */
const withoutCode = (page: string): string =>
  withoutBlocks(page).replaceAll(/(`+)[^`\n][^\n]*?\1/g, (code) => code.replaceAll(/[[\]()]/g, ''));

/** Links and pictures of a page that point into the repository, as written. */
export const linksOf = (page: string): string[] =>
  [...withoutCode(page).matchAll(/\]\(([^()\s]+)\)/g)]
    .map(([, target]) => target!)
    .filter((target) => !/^[a-z]+:/.test(target));

/** Anchors of a page's headings, by GitHub's rules. */
export const anchorsOf = (page: string): string[] => {
  const seen = new Map<string, number>();
  return [...withoutBlocks(page).matchAll(/^#+ (.*)$/gm)].map(([, title]) => {
    const anchor = title!
      .toLowerCase()
      .replaceAll(/[^\p{L}\p{N} _-]/gu, '')
      .replaceAll(' ', '-');
    const count = seen.get(anchor) ?? 0;
    seen.set(anchor, count + 1);
    return count === 0 ? anchor : `${anchor}-${count}`;
  });
};
