import { existsSync, globSync, readFileSync, statSync } from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';
import { expect, test } from 'vitest';
import { project } from '../../../tools/lib/project.ts';
import { anchorsOf, linksOf } from '../../../tools/docs/links.ts';

const read = (path: string): string => readFileSync(join(project, path), 'utf8');

/** Pages that people read in the repository, as paths below it. */
const pages = globSync(['*.md', 'docs/**/*.md', 'runbooks/*.md', 'test/fixtures/**/*.md'], { cwd: project }).sort();
const docs = pages.filter((page) => page.startsWith('docs/'));

/** Target of a link on a page: a path below the project, and the anchor if it has one. */
const targetOf = (page: string, link: string): { path: string; anchor: string } => {
  const [path = '', anchor = ''] = link.split('#');
  return { path: path === '' ? page : relative(project, resolve(project, dirname(page), path)), anchor };
};

/** Why a link is broken; undefined if it works. */
const problem = (page: string, link: string): string | undefined => {
  const { path, anchor } = targetOf(page, link);
  if (path.startsWith('..')) return `${link}: outside the repository`;
  if (!existsSync(join(project, path))) return `${link}: ${path} does not exist`;
  if (anchor === '') return undefined;
  if (!path.endsWith('.md')) return `${link}: ${path} has no sections`;
  return anchorsOf(read(path)).includes(anchor) ? undefined : `${link}: ${path} has no section #${anchor}`;
};

test.each(pages)('links of %s lead somewhere', (page) => {
  expect(linksOf(read(page)).flatMap((link) => problem(page, link) ?? [])).toEqual([]);
});

test('a link to a file or a section that does not exist is found', () => {
  const found = ['docs/none.md', 'README.md#none', 'LICENSE#none', '../none.md', 'docs/README.md#install'].map((link) =>
    problem('README.md', link),
  );
  expect(found).toEqual([
    'docs/none.md: docs/none.md does not exist',
    'README.md#none: README.md has no section #none',
    'LICENSE#none: LICENSE has no sections',
    '../none.md: outside the repository',
    undefined,
  ]);
});

test('every page of docs/ can be reached from its index by links between pages of docs/', () => {
  const reached = new Set(['docs/README.md']);
  for (const page of reached)
    for (const link of linksOf(read(page))) {
      const { path } = targetOf(page, link);
      if (docs.includes(path)) reached.add(path);
    }
  expect(docs.filter((page) => !reached.has(page))).toEqual([]);
});

test('the index itself names every page of docs/', () => {
  const named = new Set(linksOf(read('docs/README.md')).map((link) => targetOf('docs/README.md', link).path));
  expect(docs.filter((page) => page !== 'docs/README.md' && !named.has(page))).toEqual([]);
});

test('the README and the page about diagnosis are short enough to be read', () => {
  const lines = (page: string): number => read(page).trimEnd().split('\n').length;
  expect(lines('README.md')).toBeLessThanOrEqual(150);
  expect(lines('docs/internals/diagnosis.md')).toBeLessThan(250);
});

/** Files that mention a page of docs/ in a text or a comment. */
const others = globSync(
  ['src/**/*.ts', 'tools/**/*.{ts,tsx}', 'lab/**/*.ts', 'bench/**/*.ts', 'packaging/**/*', 'systemd/*', 'Dockerfile'],
  { cwd: project, exclude: (path) => path.includes('node_modules') },
).filter((path) => statSync(join(project, path)).isFile());

test.each(['packages', 'sources'])('pages of docs/ that %s name exist', (kind) => {
  const files = others.filter((path) => /^(packaging|systemd)\/|^Dockerfile$/.test(path) === (kind === 'packages'));
  const named = files.flatMap((file) =>
    [...read(file).matchAll(/\bdocs\/[\w/-]+\.(?:md|svg|png)\b/g)].map(([page]) => ({ file, page })),
  );
  expect(named.length).toBeGreaterThan(1);
  expect(named.filter(({ page }) => !existsSync(join(project, page)))).toEqual([]);
});
