import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { project } from '../../../tools/lib/project.ts';

const folder = join(project, 'runbooks');
const pages = readdirSync(folder).filter((name) => name.endsWith('.md'));
const read = (name: string): string => readFileSync(join(folder, name), 'utf8');

/** The anchors of a page's headings, as GitHub makes them. */
const anchorsOf = (page: string): string[] =>
  [...page.replaceAll(/^ *```[^]*?^ *```$/gm, '').matchAll(/^#+ (.*)$/gm)].map(([, title]) =>
    title!
      .toLowerCase()
      .replaceAll(/[^\p{L}\p{N} _-]/gu, '')
      .replaceAll(' ', '-'),
  );

test.each(pages)('links of %s to sections lead to one', (name) => {
  const links = [...read(name).matchAll(/\]\(([^)#]*)#([^)]+)\)/g)].map(
    ([, page, anchor]) => [page!, anchor!] as const,
  );
  const local = links.filter(([page]) => page === '' || pages.includes(page));
  expect(local.filter(([page, anchor]) => !anchorsOf(read(page || name)).includes(anchor))).toEqual([]);
});

test.each(pages)('sections of %s that other pages name exist', (name) => {
  const named = [...read(name).matchAll(/"([^"\n]+)"\s+in\s+\[\w+\]\((\w+\.md)\)/g)];
  const missing = named.filter(([, title, page]) => !read(page!).includes(`## ${title!.replaceAll(/\s+/g, ' ')}\n`));
  expect(missing.map(([link]) => link)).toEqual([]);
});
