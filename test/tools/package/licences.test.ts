import { relative } from 'node:path';
import { expect, test } from 'vitest';
import { TempTree } from '../../../tools/lib/fake-host.ts';
import { machine, project } from '../../../tools/lib/project.ts';
import { thirdPartyLicences } from '../../../tools/package/licences.ts';

/** The section about a package, by its beginning. */
const partOf = (text: string, beginning: string): string | undefined =>
  text.split(`\n\n${'='.repeat(80)}\n\n`).find((part) => part.startsWith(beginning));

test('each package has its text, add-ons also those of what is compiled into them', () => {
  const addOn = `@koromix/koffi-linux-${machine.architecture}`;
  const text = thirdPartyLicences([`node_modules/${addOn}`, 'node_modules/bcrypt', 'node_modules/ms']);
  expect(partOf(text, 'Node.js ')).toContain('Copyright Node.js contributors');
  expect(partOf(text, 'ms ')).toContain('Permission is hereby granted');
  const koffi = partOf(text, addOn);
  expect(koffi).toMatch(/Copyright.*Niels Martign/);
  expect(koffi).toContain('Node.js API collaborators');
  const bcrypt = partOf(text, 'bcrypt ');
  for (const part of [
    'Copyright (c) 2010 Nicholas Campbell',
    'Copyright (c) 1997 Niels Provos',
    'This product includes software developed by Niels Provos',
    'Node.js API collaborators',
  ])
    expect(bcrypt).toContain(part);
});

test('a package without a text is an error', () => {
  using tree = new TempTree();
  tree.write({ 'package.json': '{"name": "bare", "version": "1.0.0", "license": "MIT"}' });
  const folder = relative(project, tree.root);
  expect(() => thirdPartyLicences([folder])).toThrow(`${folder}: expected a licence text, found none`);
});
