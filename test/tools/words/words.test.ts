import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { createLinter, loadTextlintrc } from 'textlint';
import { expect, test } from 'vitest';
import { project } from '../../../tools/lib/project.ts';

const name = join(project, 'test/fixtures/words/readme-0.1.md');
const sentences = readFileSync(name, 'utf8').trim().split('\n\n');

/** What the lint of words reports about a text in Markdown. */
const faultsOf = async (text: string): Promise<string[]> => {
  const descriptor = await loadTextlintrc({ configFilePath: join(project, '.textlintrc.json') });
  const { messages } = await createLinter({ descriptor }).lintText(text, join(project, 'README.md'));
  return messages.map(({ message }) => message);
};

test('ten sentences of an early README stand here', () => {
  expect(sentences).toHaveLength(10);
});

test.each(sentences)('the lint of words refuses: %s', async (sentence) => {
  expect(await faultsOf(`${sentence}\n`)).not.toEqual([]);
});

test('the lint of words accepts a plain sentence', async () => {
  expect(await faultsOf('xen-exporter measures every hop and reports the bottleneck.\n')).toEqual([]);
});

test('a sentence of more than 190 characters is too long', async () => {
  expect(await faultsOf(`The exporter reads ${'a file and '.repeat(20)}a socket.\n`)).toEqual([
    expect.stringMatching(/sentence/i),
  ]);
});
