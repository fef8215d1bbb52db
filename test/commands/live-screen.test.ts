import { stripVTControlCharacters } from 'node:util';
import { describe, expect, test } from 'vitest';
import { LiveScreen, type Terminal } from '../../src/commands/live-screen.ts';

/** A terminal of some rows that remembers what it was told. */
const fakeTerminal = ({ rows = 6, isTTY = true } = {}) => {
  const said = { text: '', isRaw: false, isPaused: false };
  const listeners = new Set<(data: Buffer) => void>();
  const input = {
    isTTY,
    setRawMode: (isRaw: boolean) => ((said.isRaw = isRaw), input),
    on: (_: string, listener: (data: Buffer) => void) => (listeners.add(listener), input),
    off: (_: string, listener: (data: Buffer) => void) => (listeners.delete(listener), input),
    pause: () => ((said.isPaused = true), input),
  };
  const output = { rows, write: (text: string) => ((said.text += text), true) };
  const type = (keys: string): void => {
    for (const listener of listeners) listener(Buffer.from(keys));
  };
  return { terminal: { input, output } as unknown as Terminal, said, type, listeners };
};

const ignore = (): void => {};

describe('the screen of --watch', () => {
  test.each([
    ['q', 1],
    ['\u0003', 1],
    ['aq', 1],
    ['x', 0],
    ['\u001b[A', 0],
  ])('after the keys %j quit was called %i times', (keys, times) => {
    const { terminal, type } = fakeTerminal();
    let quits = 0;
    using screen = new LiveScreen(terminal, () => (quits += 1));
    screen.draw('text\n');
    type(keys);
    expect(quits).toBe(times);
  });

  test('draws each text from the top, and clears what was there', () => {
    const { terminal, said } = fakeTerminal();
    using screen = new LiveScreen(terminal, ignore);
    said.text = '';
    screen.draw('one\ntwo\n');
    expect(said.text).toBe('\u001b[Hone\u001b[K\ntwo\u001b[K\n\u001b[K\nq or Ctrl-C: end\u001b[K\u001b[J');
  });

  test('cuts a text that is longer than the terminal', () => {
    const { terminal, said } = fakeTerminal({ rows: 6 });
    using screen = new LiveScreen(terminal, ignore);
    said.text = '';
    screen.draw('1\n2\n3\n4\n');
    expect(said.text).toContain('4');
    said.text = '';
    screen.draw('1\n2\n3\n4\n5\n');
    const lines = stripVTControlCharacters(said.text).split('\n');
    expect(lines).toEqual(['1', '2', '3', '... 2 more lines', '', 'q or Ctrl-C: end']);
  });

  test('restores the terminal', () => {
    const { terminal, said, listeners } = fakeTerminal();
    {
      using screen = new LiveScreen(terminal, ignore);
      screen.draw('text');
      expect(said).toMatchObject({ isRaw: true, isPaused: false });
    }
    expect(said).toMatchObject({ isRaw: false, isPaused: true });
    expect(said.text.startsWith('\u001b[?7l')).toBe(true);
    expect(said.text.endsWith('\u001b[?7h\n')).toBe(true);
    expect(listeners.size).toBe(0);
  });

  test('works without a keyboard', () => {
    const { terminal, said } = fakeTerminal({ isTTY: false });
    {
      using screen = new LiveScreen(terminal, ignore);
      screen.draw('text');
    }
    expect(said).toMatchObject({ isRaw: false, isPaused: false });
  });
});
