import { expect, test } from 'vitest';
import { parsePidSchedstat } from '../../src/formats/proc-pid-schedstat.ts';
import { parsePidStat, parseProcessIdentity } from '../../src/formats/proc-pid-stat.ts';
import { readText } from '../../tools/lib/fixture.ts';

test('a kernel thread of netback', () => {
  expect(parsePidStat(readText('hosts/credit-storm/proc/400/stat'))).toEqual({
    comm: 'vif1.0-q0-guest-rx',
    parentPid: 2,
  });
  expect(parsePidSchedstat(readText('hosts/credit-storm/proc/400/schedstat'))).toEqual({
    runNanoseconds: 1913878851,
    waitNanoseconds: 2922686265,
  });
});

test('a process may be called anything', () => {
  expect(parsePidStat('77 (a) S 2 (b)\n) R 1 77 77\n')).toEqual({ comm: 'a) S 2 (b)\n', parentPid: 1 });
});

test.each([
  ['', 'an empty file'],
  ['400 vif1.0', '"400 vif1.0"'],
])('no stat: %j', (text, found) => {
  expect(() => parsePidStat(text)).toThrow(`expected a line "PID (comm) state ppid ...", found ${found}`);
});

test.each([
  ['', 'expected three numbers, found an empty file'],
  ['1 2\n', 'expected three numbers, found "1 2\\n"'],
  ['1 2 3 4\n', 'expected three numbers, found "1 2 3 4\\n"'],
  ['1 x 3\n', 'expected a number for wait time, found "x"'],
])('no schedstat: %j', (text, message) => expect(() => parsePidSchedstat(text)).toThrow(message));

test('who a process is: its number, and when it began', () => {
  const text = readText('hosts/credit-storm/proc/400/stat');
  expect(parseProcessIdentity(text)).toEqual({ pid: 400, startTicks: 7261 });
  expect(() => parseProcessIdentity('400 (a) S 2 0 0\n')).toThrow(
    'expected a line "PID (comm) state ppid ..." with a start time, found "400 (a) S 2 0 0\\n"',
  );
});
