import { expect, test } from 'vitest';
import { createLog, type LogFormat, type LogLevel } from '../../src/host/log.ts';

const lines = (format: LogFormat, level: LogLevel = 'info'): { log: ReturnType<typeof createLog>; lines: string[] } => {
  const lines: string[] = [];
  const now = () => new Date('2026-01-02T03:04:05.678Z');
  return { log: createLog({ level, format, now, write: (line) => lines.push(line) }), lines };
};

test('logfmt quotes what needs quotes and escapes what would break the line', () => {
  const { log, lines: written } = lines('logfmt');
  log.info('Collector failed', { collector: 'tcp', err: 'line 1\nsaid "no"', empty: '', n: 3 });
  expect(written).toEqual([
    'time=2026-01-02T03:04:05.678Z level=info msg="Collector failed" collector=tcp err="line 1\\nsaid \\"no\\"" empty="" n=3\n',
  ]);
});

test.each(['logfmt', 'json'] as const)(
  '%s escapes every control character, also those that JSON does not',
  (format) => {
    const { log, lines: written } = lines(format);
    log.warn('Refused', { request: 'a\u001b[2J\u007f\u009b2J' });
    expect(written.join('').trimEnd()).not.toMatch(/\p{Cc}/u);
    expect(written.join('')).toContain('a\\u001b[2J\\u007f\\u009b2J');
  },
);

test('JSON', () => {
  const { log, lines: written } = lines('json');
  log.error('Failed', { n: 3 });
  expect(written).toEqual(['{"time":"2026-01-02T03:04:05.678Z","level":"error","msg":"Failed","n":3}\n']);
});

test('messages below the level are left out', () => {
  const { log, lines: written } = lines('logfmt', 'warn');
  log.debug('a');
  log.info('b');
  log.warn('c');
  log.error('d');
  expect(written.map((line) => /msg=(\w)/.exec(line)?.[1])).toEqual(['c', 'd']);
});
