import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { project } from '../../../tools/lib/project.ts';

interface Message {
  readonly line: number;
  readonly column: number;
  readonly message: string;
}

/** Runs textlint as `npm run lint:words` does, over a text that stands in for README.md. */
const messagesOf = (text: string): readonly Message[] => {
  const args = ['--rulesdir', 'tools/words/rules', '--format', 'json', '--stdin', '--stdin-filename', 'README.md'];
  try {
    execFileSync(join(project, 'node_modules/.bin/textlint'), args, { cwd: project, input: text, encoding: 'utf8' });
    return [];
  } catch (error) {
    // Status 1 and a report mean that textlint has run and found something.
    const { status, stdout } = error as { status: number; stdout: string };
    if (status !== 1) throw error;
    return (JSON.parse(stdout) as { messages: Message[] }[])[0]!.messages;
  }
};

/** Where the text is refused, and why. */
const refusals = (text: string): string[] =>
  messagesOf(text).map(({ line, column, message }) => `${line}:${column} ${message}`);

const words = (count: number): string => `${'word '.repeat(count - 1)}word.\n`;

test('each of ten sentences of the README of version 0.1 is refused, for its words or its length', () => {
  const page = readFileSync(join(project, 'test/fixtures/words/readme-0.1.md'), 'utf8');
  const lines = page.split('\n');
  const found = messagesOf(page).map(({ line, message }) => {
    const isFirst = (index: number): boolean => index === 0 || lines[index - 1] === '';
    const start = lines.findLastIndex((_, index) => index < line && isFirst(index));
    return `${lines[start]!.slice(0, 20)}: ${message}`;
  });
  expect(found).toEqual([
    'xen-exporter runs wh: says => report, export, print',
    'It finds out by itse: ; what  => begin with the subject',
    '`npm run demo` serve: said => report, export, print',
    'An accept queue fill: only by luck => rarely',
    'Where that cannot be: A sentence of 34 words; 25 are enough',
    'Where that cannot be: cannot be had => not available',
    'Where that cannot be: knows => report, export, print',
    'A listener with defe: are no harm => harmless',
    'While xl hangs (as i: go on => continues',
    'The sampler measures: A sentence of 26 words; 25 are enough',
    'The pictures are dra: A sentence of 39 words; 25 are enough',
    'The pictures are dra: , for minutes of the capture pass => because',
    'Who asks for the sam: Who  => begin with the subject',
  ]);
});

test('a sentence has at most 25 words, and a paragraph any number of sentences', () => {
  expect(refusals(words(25))).toEqual([]);
  expect(refusals(words(26))).toEqual(['1:1 A sentence of 26 words; 25 are enough']);
  expect(refusals(words(20) + words(20))).toEqual([]);
});

test('a sentence that is too long is reported where it begins, across line breaks, with code as one word', () => {
  const code = '`sum by (instance) (rate(xen_netback_invalid_rings_total[5m]))`';
  expect(refusals(`Short. ${code} ${words(24)}`)).toEqual([]);
  expect(refusals(`Short. ${code} ${words(18).replace('.\n', '')}, and\nnow ${words(6)}`)).toEqual([
    '1:8 A sentence of 27 words; 25 are enough',
  ]);
});

test('tables, headings and blocks of code may have long lines', () => {
  const long = words(40).trim();
  expect(refusals(`# ${long}\n\n| ${long} |\n| --- |\n| ${long} |\n\n    ${long}\n`)).toEqual([]);
});

test('a banned word is reported in prose, headings and tables, and not in code', () => {
  const page = '# It begins anew\n\nThe exporter tells the rest.\n\n| a |\n| --- |\n| in the place of it |\n\n`anew`\n';
  expect(refusals(page)).toEqual([
    '1:13 anew => again',
    '3:14 tells => report, export, print',
    '7:3 in the place of => instead of',
  ]);
});

test('a plain sentence passes', () => {
  expect(refusals('xen-exporter measures every hop and reports the bottleneck.\n')).toEqual([]);
});
