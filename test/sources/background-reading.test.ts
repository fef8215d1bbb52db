import { expect, test } from 'vitest';
import { BackgroundReading, readCommand } from '../../src/sources/background-reading.ts';
import { ParseError } from '../../src/formats/parse-error.ts';
import type { CommandOutput } from '../../src/host/commands.ts';
import { fakeClock, fakeHost } from '../../tools/lib/fake-host.ts';

/** A reading every 10 s of a command that prints these outputs in sequence. */
const readingOf = (...outputs: CommandOutput[]) => readingBy((text) => text, ...outputs);

const readingBy = (parse: Parameters<typeof readCommand<string>>[2], ...outputs: CommandOutput[]) => {
  const clock = fakeClock();
  const { commands } = fakeHost('/nonexistent', { commands: { run: () => Promise.resolve(outputs.shift()!) } });
  const command = { name: 'xl', file: 'xl', args: ['list'], timeoutSeconds: 1, maxBytes: 100 };
  const reading = new BackgroundReading({
    name: 'xl list',
    every: { seconds: 10 },
    clock,
    read: (doubt) => readCommand(commands, command, parse, doubt, [/^note: /]),
  });
  return { reading, clock };
};
const good = { stdout: 'all', complaint: '' };
const partial = { stdout: 'a part', complaint: 'cannot get the rest' };

test('a complaint on stderr is a failure that names it, and the last good reading stays while it is fresh', async () => {
  const { reading, clock } = readingOf(good, partial, partial, good);
  await reading.run();
  await expect(reading.run()).rejects.toThrow('xl list: exit status 0, but a complaint: cannot get the rest');
  expect([reading.fresh, reading.hasFailed]).toEqual(['all', true]);
  clock.advance(31);
  await expect(reading.run()).rejects.toThrow('cannot get the rest');
  expect(reading.fresh).toBe('a part');
  await reading.run();
  expect([reading.fresh, reading.hasFailed]).toEqual(['all', false]);
});

test('without a good one, a reading that may be incomplete is served', async () => {
  const { reading } = readingOf(partial, { ...partial, stdout: 'another part' });
  for (const expected of ['a part', 'another part']) {
    await expect(reading.run()).rejects.toThrow('cannot get the rest');
    expect(reading.fresh).toBe(expected);
  }
});

test('a complaint that is not about the answer is none; one behind it is', async () => {
  const { reading } = readingOf(
    { stdout: 'all', complaint: 'note: an old option' },
    { stdout: 'a part', complaint: 'note: an old option\ncannot get the rest' },
  );
  await reading.run();
  await expect(reading.run()).rejects.toThrow('but a complaint: cannot get the rest');
  expect(reading.fresh).toBe('all');
});

test('a row that the parser leaves out is a failure, with what the command said', async () => {
  const { reading } = readingBy(
    (text, skip) => {
      skip(new ParseError('a row', '"?"'));
      return text;
    },
    { stdout: 'a part', complaint: '' },
    partial,
  );
  await expect(reading.run()).rejects.toThrow(/^xl list: expected a row, found "\?"$/);
  expect(reading.fresh).toBe('a part');
  await expect(reading.run()).rejects.toThrow(/^xl list: expected a row, found "\?" \(it said: cannot get the rest\)$/);
});
