import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { project } from '../../../tools/lib/project.ts';

const folder = join(project, 'runbooks');
const pages = readdirSync(folder).filter((name) => name.endsWith('.md'));
const read = (name: string): string => readFileSync(join(folder, name), 'utf8');

test.each(pages)('sections of %s that other pages name exist', (name) => {
  const named = [...read(name).matchAll(/"([^"\n]+)"\s+in\s+\[\w+\]\((\w+\.md)\)/g)];
  const missing = named.filter(([, title, page]) => !read(page!).includes(`## ${title!.replaceAll(/\s+/g, ' ')}\n`));
  expect(missing.map(([link]) => link)).toEqual([]);
});
