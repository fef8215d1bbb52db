import type { XentraceSettings } from '../../src/sources/xentrace/xentrace.ts';
import { toolstackOf, xentraceOf } from '../../tools/lib/sources.ts';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { basename } from 'node:path';
import type { Collector } from '../../src/collectors/collector.ts';
import { runstate } from '../../src/collectors/runstate/runstate.ts';
import { CommandError, type Command, type Commands } from '../../src/host/commands.ts';
import { readBytes, readText } from '../../tools/lib/fixture.ts';
import { collect, collectText, createCollector, runBackground, whyAbsent } from '../../tools/lib/collect.ts';
import { fakeHost, type TempTree } from '../../tools/lib/fake-host.ts';
import { copyOfHost, hostOf, hostRoot } from '../../tools/lib/hosts.ts';
import { changeRecord, chunk, lostRecord } from '../../tools/lib/xentrace.ts';

const eventChannels = readText('xl/credit-storm.lsevtchn-0');
const storm = readBytes('xentrace/credit-storm.xt');
// The host's frequency in xl info.
const hertz = 2_445_434_000;
const listed = readText('hosts/credit-storm/commands/xl list -v');

let tree: TempTree;
let host: ReturnType<typeof copyOfHost>['host'];
let collector: Collector;
/** Command lines of xentrace and lsevtchn. */
let ran: string[];
let channels: string | CommandError;
let trace: Uint8Array;
/** xentrace's complaint as it ends. */
let complaint: string | undefined;
let turnOff: string | undefined;
/** Pieces that xentrace had to write after it was asked to end. */
let taken: number;

const refused = ({ file, args }: Command, why: string): CommandError =>
  new CommandError(`${[file, ...args].join(' ')}: ${why}`);
const pieceBytes = 4000;

const tracing = (commands: Commands): Commands => ({
  ...commands,
  find: (name) => (['xentrace', 'lsevtchn'].includes(name) ? `/usr/sbin/${name}` : commands.find(name)),
  run: async (command) => {
    const name = basename(command.file);
    if (name !== 'lsevtchn' && name !== 'xentrace') return commands.run(command);
    ran.push([name, ...command.args].join(' '));
    if (name === 'xentrace') {
      if (turnOff !== undefined) throw refused(command, turnOff);
      return { stdout: '', complaint: '' };
    }
    if (channels instanceof CommandError) throw channels;
    return { stdout: channels, complaint: '' };
  },
  stream: async (command, take) => {
    ran.push([basename(command.file), ...command.args].join(' '));
    for (let at = 0; at < trace.length; at += pieceBytes) {
      taken += 1;
      try {
        if (!take(trace.subarray(at, at + pieceBytes))) {
          // It writes the rest of its chunk.
          take(trace.subarray(at + pieceBytes, chunkEnd(at + pieceBytes)));
          break;
        }
      } catch (error) {
        throw refused(command, (error as Error).message);
      }
    }
    if (complaint !== undefined) throw refused(command, complaint);
  },
});

/** End of the chunk that contains the byte before this one. */
const chunkEnd = (at: number): number => {
  let end = 0;
  while (end < at) end += 12 + Buffer.from(trace).readUInt32LE(end + 8);
  return end;
};

const create = (
  settings: Partial<XentraceSettings> = {},
  traced = { ...host, commands: tracing(host.commands) },
): void => {
  const toolstack = toolstackOf(traced);
  const xentrace = xentraceOf(traced, settings, toolstack);
  collector = createCollector(runstate, traced, {}, { toolstack, xentrace });
};

beforeEach(() => {
  ({ tree, host } = copyOfHost('credit-storm'));
  [ran, channels, trace, complaint, turnOff, taken] = [[], eventChannels, storm, undefined, undefined, 0];
  create();
});
afterEach(() => tree[Symbol.dispose]());

const traceOnce = async (): Promise<string[]> =>
  (await runBackground([collector])).map(({ message }) => message.replaceAll(tree.root, ''));
const page = () => collect(collector, host);
const stateSeconds = async (domain: string): Promise<Record<string, number | undefined>> => {
  const exposition = await page();
  const seconds = (state: string) => exposition.value('xen_domain_runstate_seconds_total', { domain, state });
  return Object.fromEntries(['running', 'runnable', 'blocked', 'offline'].map((state) => [state, seconds(state)]));
};
const windows = async (): Promise<Record<string, number>> =>
  Object.fromEntries(
    (await page())
      .samples('xen_exporter_xentrace_windows_total')
      .map(({ labels, value }) => [labels['result']!, value]),
  );
const value = async (name: string): Promise<number | undefined> => (await page()).value(name, {});

/** A change of domu1 at 0 s and one after these seconds, between which it ran. */
const ranFor = (seconds: number, domid = 1): Uint8Array =>
  chunk(
    0,
    changeRecord(1000n, [domid, 0], 'runnable', 'running'),
    changeRecord(1000n + BigInt(seconds * hertz), [domid, 0], 'running', 'blocked'),
  );

test('is off unless switched on', () => {
  expect(runstate.enabledByDefault).toBe(false);
});

test('looks for other tracers, traces for the window, and every minute', async () => {
  expect(await traceOnce()).toEqual([]);
  expect(ran).toEqual(['lsevtchn 0', 'xentrace -D -e 0x00021000 -T 3 /dev/stdout']);
  expect(collector.background!.map(({ every }) => every)).toEqual([{ seconds: 57 }]);
  create({ windowSeconds: 60, intervalSeconds: 60 });
  expect(collector.background!.map(({ every }) => every)).toEqual([{ seconds: 1 }]);
});

test('the storm: the three busy vCPUs of a CPU wait two thirds of the time, sixty milliseconds at a stretch', async () => {
  expect(await traceOnce()).toEqual([]);
  const armed = (await value('xen_exporter_xentrace_armed_seconds_total'))!;
  expect(armed).toBeCloseTo(7757566950 / hertz, 9);
  const domu1 = await stateSeconds('domu1');
  expect(domu1['running']! + domu1['runnable']! + domu1['blocked']!).toBeCloseTo(2 * armed, 9);
  expect(domu1['runnable']! / (2 * armed)).toBeCloseTo(2 / 3, 3);
  const pvh1 = await stateSeconds('pvh1');
  expect(pvh1['runnable']! / armed).toBeLessThan(0.001);

  const exposition = await page();
  const wait = (what: string, domain: string): [number, number] => [
    exposition.value(`xen_domain_${what}_seconds_count`, { domain })!,
    exposition.value(`xen_domain_${what}_seconds_sum`, { domain })!,
  ];
  const [turns, turnSeconds] = wait('preempted_wait', 'domu1');
  expect(turns).toBe(33 + 33);
  expect(turnSeconds / turns).toBeCloseTo(0.064, 3);
  const [wakes, wakeSeconds] = wait('wake_delay', 'pvh1');
  expect(wakes).toBe(19);
  expect(wakeSeconds / wakes).toBeLessThan(0.0001);
  expect(exposition.value('xen_domain_preempted_wait_seconds_bucket', { domain: 'domu2', le: '0.03' })).toBe(0);
  expect(exposition.value('xen_domain_preempted_wait_seconds_bucket', { domain: 'domu2', le: '0.1' })).toBe(32);
  expect(await windows()).toEqual({ complete: 1, short: 0, refused: 0, failed: 0 });
  expect(await value('xen_exporter_xentrace_bytes_total')).toBe(storm.length);
  expect(await value('xen_exporter_xentrace_lost_records_total')).toBe(0);
  expect(await value('xen_exporter_xentrace_mismatched_changes_total')).toBe(0);
});

test('an HVM guest that waits for its device model is offline, not runnable', async () => {
  trace = readBytes('xentrace/credit2-hvm-booting.xt');
  await traceOnce();
  const { running, runnable, offline } = await stateSeconds('pvh1');
  expect(offline! / (running! + runnable! + offline!)).toBeGreaterThan(0.85);
  expect((await page()).value('xen_domain_wake_delay_seconds_count', { domain: 'pvh1' })).toBe(0);
});

test('windows add up', async () => {
  trace = ranFor(2);
  await traceOnce();
  await traceOnce();
  expect((await stateSeconds('domu1'))['running']).toBeCloseTo(4, 9);
  expect(await value('xen_exporter_xentrace_armed_seconds_total')).toBeCloseTo(4, 9);
});

describe('names', () => {
  test('before a list of domains there are no series of theirs; then all that was seen', async () => {
    await collector.background![0]!.run();
    expect((await page()).samples('xen_domain_runstate_seconds_total')).toEqual([]);
    expect((await windows())['complete']).toBe(1);
    await collector.sharedTasks![0]!.run();
    expect((await stateSeconds('domu1'))['running']).toBeGreaterThan(2);
  });

  test('a domain that is not on the list has it read anew, and none of its series until it is', async () => {
    let refreshed = 0;
    for (const task of collector.sharedTasks!) task.onStart?.(() => (refreshed += 1));
    tree.write({ 'commands/xl list -v': listed.replace(/^domu2 .*\n/m, '') });
    await traceOnce();
    expect(refreshed).toBe(1);
    expect((await stateSeconds('domu2'))['running']).toBeUndefined();
    tree.write({ 'commands/xl list -v': listed });
    await traceOnce();
    expect(refreshed).toBe(1);
    const { running, runnable, blocked } = await stateSeconds('domu2');
    const armed = (await value('xen_exporter_xentrace_armed_seconds_total'))!;
    expect(running! + runnable! + blocked!).toBeCloseTo(armed, 9);
    expect(armed).toBeGreaterThan(6);
  });

  test('a domain that is gone is gone; a guest that reboots goes on under its new domid', async () => {
    trace = ranFor(2);
    await traceOnce();
    tree.write({ 'commands/xl list -v': listed.replace(/^domu1 .*\n/m, '') });
    await traceOnce();
    expect((await stateSeconds('domu1'))['running']).toBeUndefined();
    tree.write({ 'commands/xl list -v': listed.replace(/^(domu1 +) 1 /m, '$1 7 ') });
    trace = ranFor(1, 7);
    await traceOnce();
    // Observations of the old domid after it left the list belong to no domain.
    expect((await stateSeconds('domu1'))['running']).toBeCloseTo(3, 9);
  });
});

describe('lost records', () => {
  test('are counted, and the time in which they were lost is not', async () => {
    const second = BigInt(hertz);
    trace = Buffer.concat([
      chunk(0, changeRecord(0n, [1, 0], 'runnable', 'running')),
      chunk(1, lostRecord(3n * second, 12, second)),
      chunk(
        0,
        changeRecord(2n * second, [1, 0], 'running', 'runnable'),
        changeRecord(4n * second, [1, 0], 'runnable', 'running'),
      ),
    ]);
    await traceOnce();
    expect(await value('xen_exporter_xentrace_lost_records_total')).toBe(12);
    expect(await value('xen_exporter_xentrace_armed_seconds_total')).toBeCloseTo(2, 9);
    expect(await stateSeconds('domu1')).toMatchObject({ running: 1, runnable: 1, blocked: 0 });
    expect((await page()).value('xen_domain_preempted_wait_seconds_count', { domain: 'domu1' })).toBe(0);
  });
});

describe('limits', () => {
  test('a window with too many bytes ends early, and counts for as long as it was', async () => {
    create({ maxBytes: 65_536 });
    expect(await traceOnce()).toEqual([]);
    expect(await windows()).toEqual({ complete: 0, short: 1, refused: 0, failed: 0 });
    expect(taken).toBe(Math.ceil(65_537 / pieceBytes));
    const armed = (await value('xen_exporter_xentrace_armed_seconds_total'))!;
    expect(armed).toBeGreaterThan(1);
    expect(armed).toBeLessThan(3);
    const { running, runnable, blocked } = await stateSeconds('domu1');
    expect(running! + runnable! + blocked!).toBeCloseTo(2 * armed, 9);
  });

  test('so does one that costs too much CPU time', async () => {
    const costly = { ...host.clock, cpuSeconds: () => (host.clock.advance(1), host.clock.cpuSeconds()) };
    create({ cpuBudget: 0.001 }, { ...host, clock: costly, commands: tracing(host.commands) });
    // 10 ms per piece, and 1/1000 of a minute for both halves of the work.
    expect(await traceOnce()).toEqual([]);
    expect(taken).toBe(4);
    expect(await windows()).toEqual({ complete: 0, short: 1, refused: 0, failed: 0 });
    expect(await value('xen_exporter_xentrace_cpu_seconds_total')).toBeGreaterThan(0.03);
  });
});

describe('another tracer', () => {
  test('is left alone: nothing is started', async () => {
    channels = `${eventChannels}  47: VCPU 0: Virtual IRQ 4\n`;
    expect(await traceOnce()).toEqual(['another program is tracing (Dom0 has bound virtual IRQ 4)']);
    expect(ran).toEqual(['lsevtchn 0']);
    expect(await windows()).toEqual({ complete: 0, short: 0, refused: 1, failed: 0 });
    channels = eventChannels;
    expect(await traceOnce()).toEqual([]);
    expect(await windows()).toEqual({ complete: 1, short: 0, refused: 1, failed: 0 });
  });

  test('that begins between the look and the start is not turned off', async () => {
    [trace, complaint] = [new Uint8Array(), 'exit status 1: ERROR: failed to bind to VIRQ port (17 = File exists)'];
    expect((await traceOnce())[0]).toContain('another program has started to trace, now with our event mask (');
    expect(ran).toHaveLength(2);
    expect((await windows())['refused']).toBe(1);
  });
});

describe('where xentrace fails', () => {
  test('nothing of the window is used, and tracing is turned off', async () => {
    complaint = 'SIGKILL';
    expect(await traceOnce()).toEqual(['/usr/sbin/xentrace -D -e 0x00021000 -T 3 /dev/stdout: SIGKILL']);
    expect(ran.slice(2)).toEqual(['xentrace -X -D -T 1 /dev/null']);
    expect((await page()).samples('xen_domain_runstate_seconds_total')).toEqual([]);
    expect(await value('xen_exporter_xentrace_armed_seconds_total')).toBe(0);
    expect(await windows()).toEqual({ complete: 0, short: 0, refused: 0, failed: 1 });
    expect(await value('xen_exporter_xentrace_bytes_total')).toBe(storm.length);
  });

  test('so with a trace that is cut off, or is none', async () => {
    trace = storm.subarray(0, 50_000);
    expect((await traceOnce())[0]).toMatch(/dev\/stdout: expected (a whole record|\d+ more bytes of CPU \d), found /);
    trace = Buffer.from('Usage: xentrace [OPTION...] [output file]\n');
    expect((await traceOnce())[0]).toBe(
      '/usr/sbin/xentrace -D -e 0x00021000 -T 3 /dev/stdout: expected the number of a CPU, found event 0x7617355',
    );
    expect(ran.filter((command) => command.includes('-X'))).toHaveLength(2);
  });

  test('says so where it cannot be turned off', async () => {
    [complaint, turnOff] = ['exit status 1: oh', 'exit status 1: no'];
    expect(await traceOnce()).toEqual([
      '/usr/sbin/xentrace -D -e 0x00021000 -T 3 /dev/stdout: exit status 1: oh; and tracing could not be turned off: /usr/sbin/xentrace -X -D -T 1 /dev/null: exit status 1: no',
    ]);
  });
});

describe('where nobody can trace', () => {
  test.each([
    [
      'not root',
      () => {
        channels = new CommandError(
          '/usr/sbin/lsevtchn 0: exit status 1: xencall: error: Could not obtain handle on privileged command interface: Permission denied',
        );
      },
      /^only root can read Xen's trace buffer \(.*Permission denied\)$/,
    ],
    [
      'a Xen without a trace buffer',
      () => {
        trace = new Uint8Array();
        complaint =
          'exit status 1: ERROR: Failure to get trace buffer pointer from Xen and set the new mask (38 = Function not implemented)';
      },
      /^this Xen is built without a trace buffer \(.*Function not implemented\)\)$/,
    ],
  ])('%s: it says so, without an error, and does not try again', async (_name, given, reason) => {
    given();
    expect(collector.availability()).toBe(true);
    expect(await traceOnce()).toEqual([]);
    expect(whyAbsent(collector)).toMatch(reason);
    expect(await collectText(collector, host)).toBe('');
    const before = ran.length;
    await traceOnce();
    expect(ran).toHaveLength(before);
  });

  test('without the programs, or xl', () => {
    expect(whyAbsent(createCollector(runstate, hostOf('credit-storm')))).toBe(
      'there is no xentrace among the recorded programs',
    );
    const find: Commands['find'] = (name) => (name === 'lsevtchn' ? undefined : `/usr/sbin/${name}`);
    expect(whyAbsent(createCollector(runstate, { ...host, commands: { ...host.commands, find } }))).toBe(
      'there is no lsevtchn among the recorded programs',
    );
    expect(whyAbsent(createCollector(runstate, fakeHost(hostRoot('credit-storm'))))).toBe(
      'there is no xl among the recorded programs',
    );
  });
});

test('without cpu_mhz nothing is traced', async () => {
  tree.write({ 'commands/xl info': readText('hosts/credit-storm/commands/xl info').replace(/^cpu_mhz.*\n/m, '') });
  expect(await traceOnce()).toEqual(['xl info lacks cpu_mhz, the time unit of the trace']);
  expect(ran).toEqual([]);
});
