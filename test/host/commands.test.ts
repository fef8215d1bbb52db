import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { existsSync, mkdirSync, readFileSync } from 'node:fs';
import { CommandError, findProgram, localCommands, programIn, type Commands } from '../../src/host/commands.ts';
import { isAlive } from '../../tools/lib/child.ts';
import { TempTree } from '../../tools/lib/fake-host.ts';
import { until } from '../../tools/lib/until.ts';

let tree: TempTree;
let commands: Commands;
beforeEach(() => {
  tree = new TempTree();
  commands = localCommands();
});
afterEach(() => tree[Symbol.dispose]());

const script = (body: string): string => tree.writeScript('tool', body);

const run = async (body: string, limits: { timeoutSeconds?: number; maxBytes?: number } = {}): Promise<string> => {
  const command = { name: 'tool', file: script(body), args: ['-x', 'a b'], timeoutSeconds: 10, maxBytes: 1000 };
  return (await commands.run({ ...command, ...limits })).stdout;
};

test('gives standard output; arguments are not split; the locale is C', async () => {
  expect(await run('printf "%s|%s|%s" "$1" "$2" "$LC_ALL"')).toBe('-x|a b|C');
});

test('a failure names the command, its status and the first line of stderr', async () => {
  await expect(run('echo; echo "no such domain" >&2; exit 3')).rejects.toThrow(
    new CommandError(`${tree.path('tool')} -x a b: exit status 3: no such domain`),
  );
});

test('a command that hangs is killed at its deadline, with what it forked', async () => {
  const hanging = run(`sleep 300 & echo $! > ${tree.path('pid')}; wait`, { timeoutSeconds: 1 });
  await expect(hanging).rejects.toThrow(`${tree.path('tool')} -x a b: no end within 1 s`);
  const pid = Number(readFileSync(tree.path('pid'), 'utf8'));
  await until('the grandchild to be gone', () => !isAlive(pid) || undefined);
});

test('a grandchild that keeps the output open does not outlive the deadline', async () => {
  await expect(run('sleep 300 & exit 0', { timeoutSeconds: 0.3 })).rejects.toThrow('no end within 0.3 s');
});

test('output without end is cut off', async () => {
  await expect(run('yes', { maxBytes: 10_000 })).rejects.toThrow('more than 10000 bytes of output');
});

/** The message of Node, or of setpriv. */
const missing = /none: (spawn \S+none ENOENT|.*failed to execute \S+none: No such file or directory)$/;

test('a program that does not exist', async () => {
  await expect(
    commands.run({ name: 'none', file: tree.path('none'), args: [], timeoutSeconds: 1, maxBytes: 1 }),
  ).rejects.toThrow(missing);
});

test('close kills what runs', async () => {
  const running = run('exec sleep 300');
  const refused = expect(running).rejects.toThrow('SIGKILL');
  commands.close();
  await refused;
});

test('one process of a program at a time; those that wait for one that does not end give up at their deadline', async () => {
  const file = script(
    `echo begin >> ${tree.path('log')}; while [ ! -e ${tree.path('go')} ]; do sleep 0.01; done; echo end >> ${tree.path('log')}`,
  );
  const run = (timeoutSeconds: number) => commands.run({ name: 'tool', file, args: [], timeoutSeconds, maxBytes: 100 });
  const first = run(10);
  const second = run(10);
  const impatient = run(0.2);
  await expect(impatient).rejects.toThrow(`${file}: another ${file} has not ended for 0.2 s`);
  expect(readFileSync(tree.path('log'), 'utf8')).toBe('begin\n');
  tree.write({ go: '' });
  await Promise.all([first, second]);
  expect(readFileSync(tree.path('log'), 'utf8')).toBe('begin\nend\nbegin\nend\n');
});

test('those that wait while others end have their whole time when it is their turn', async () => {
  const file = script('sleep 0.6; echo done');
  const run = () => commands.run({ name: 'tool', file, args: [], timeoutSeconds: 1.5, maxBytes: 100 });
  const outputs = await Promise.all([run(), run(), run(), run()]);
  expect(outputs.map(({ stdout }) => stdout)).toEqual(Array(4).fill('done\n'));
});

test('each process is timed under its name, also one that fails; what never began is not', async () => {
  const observed: [string, boolean][] = [];
  const timed = localCommands({ observe: (name, seconds) => observed.push([name, seconds >= 0.2 && seconds < 10]) });
  const file = script('sleep 0.2; exit "$1"');
  const run = (name: string, status: string, timeoutSeconds = 10) =>
    timed.run({ name, file, args: [status], timeoutSeconds, maxBytes: 100 });
  const outcomes = [run('good', '0'), run('bad', '1'), run('never', '0', 0.1)];
  await Promise.allSettled(outcomes);
  expect(observed).toEqual([
    ['good', true],
    ['bad', true],
  ]);
});

test('complaints come with the output: some programs end with status 0 all the same', async () => {
  const file = script('echo; echo "libxl: error: no" >&2; echo >&2; echo more >&2; echo out');
  const output = await commands.run({ name: 'tool', file, args: [], timeoutSeconds: 10, maxBytes: 100 });
  expect(output).toEqual({ stdout: '\nout\n', complaint: 'libxl: error: no\nmore' });
});

test('programs are found on the PATH', () => {
  expect(findProgram('sh')).toMatch(/\/sh$/);
  expect(findProgram('no-such-program')).toBeUndefined();
});

test('a folder is no program, however it is called', () => {
  mkdirSync(tree.path('first/xl'), { recursive: true });
  tree.writeScript('second/xl', 'exit 0');
  expect(programIn([tree.path('first'), tree.path('second')], 'xl')).toBe(tree.path('second/xl'));
  expect(programIn([tree.path('first')], 'xl')).toBeUndefined();
});

describe('a stream', () => {
  const stream = async (
    body: string,
    take: (bytes: Uint8Array) => boolean,
    limits: { timeoutSeconds?: number; maxBytes?: number } = {},
  ): Promise<void> =>
    commands.stream(
      { name: 'tool', file: script(body), args: ['-x', 'a b'], timeoutSeconds: 10, maxBytes: 1e6, ...limits },
      take,
    );
  const trapping = 'trap "echo bye; exit 0" TERM';
  const waitForTerm = 'while :; do sleep 0.02; done';

  test('gives its output as it comes, also to /dev/stdout', async () => {
    const pieces: string[] = [];
    await stream(`echo one >/dev/stdout; while [ ! -e ${tree.path('go')} ]; do sleep 0.01; done; echo two`, (bytes) => {
      pieces.push(String(Buffer.from(bytes)));
      tree.write({ go: '' });
      return true;
    });
    expect(pieces).toEqual(['one\n', 'two\n']);
  });

  test('is asked to end when no more is wanted, and may write its rest', async () => {
    let text = '';
    await stream(`${trapping}; echo enough; ${waitForTerm}`, (bytes) => {
      text += String(Buffer.from(bytes));
      return false;
    });
    expect(text).toBe('enough\nbye\n');
  });

  test('is asked to end at its deadline, which is a failure, and by close', async () => {
    const body = `${trapping}; ${waitForTerm}`;
    await expect(stream(body, () => true, { timeoutSeconds: 0.3 })).rejects.toThrow(
      new CommandError(`${tree.path('tool')} -x a b: no end within 0.3 s`),
    );
    const running = stream(`trap "exit 3" TERM; echo up; ${waitForTerm}`, () => {
      commands.close();
      return true;
    });
    await expect(running).rejects.toThrow(`${tree.path('tool')} -x a b: exit status 3`);
    await expect(stream('echo', () => true)).rejects.toThrow(`${tree.path('tool')} -x a b: stopping`);
  });

  test('that does not end when it is asked is killed, with what it forked', async () => {
    const body = `trap "" TERM; sleep 300 & echo $! > ${tree.path('pid')}; echo up; ${waitForTerm}`;
    await expect(stream(body, () => false)).rejects.toThrow('no end within 2 s of SIGTERM');
    const pid = Number(readFileSync(tree.path('pid'), 'utf8'));
    await until('the grandchild to be gone', () => !isAlive(pid) || undefined);
  });

  test('gives no more than it may', async () => {
    let bytes = 0;
    const running = stream(
      'yes',
      (piece) => {
        bytes += piece.length;
        return true;
      },
      { maxBytes: 10_000_000 },
    );
    await expect(running).rejects.toThrow('more than 10000000 bytes of output');
    expect(bytes).toBeLessThanOrEqual(10_000_000);
    expect(bytes).toBeGreaterThan(1_000_000);
  });

  test('ends with the error of who takes it, which sees no more', async () => {
    let calls = 0;
    const running = stream(`${trapping}; echo one; ${waitForTerm}`, () => {
      calls += 1;
      throw new Error('not of this format');
    });
    await expect(running).rejects.toThrow(new CommandError(`${tree.path('tool')} -x a b: not of this format`));
    expect(calls).toBe(1);
  });

  test('that fails says how, by the last line of its complaints; and one that cannot start', async () => {
    await expect(stream('echo "what it does" >&2; echo "failed to bind" >&2; exit 1', () => true)).rejects.toThrow(
      `${tree.path('tool')} -x a b: exit status 1: failed to bind`,
    );
    const none = { name: 'none', file: tree.path('none'), args: [], timeoutSeconds: 1, maxBytes: 1 };
    await expect(commands.stream(none, () => true)).rejects.toThrow(missing);
    // Again, because the lane is free.
    await expect(commands.stream(none, () => true)).rejects.toThrow(missing);
  });

  test('runs alone of its program', async () => {
    const log = tree.path('log');
    const body = `echo begin >> ${log}; while [ ! -e ${tree.path('go')} ]; do sleep 0.01; done; echo end >> ${log}`;
    const first = stream(`echo up; ${body}`, () => true);
    const second = commands.run({ name: 'tool', file: tree.path('tool'), args: [], timeoutSeconds: 10, maxBytes: 100 });
    await until('the first to run', () => existsSync(log));
    tree.write({ go: '' });
    await Promise.all([first, second]);
    expect(readFileSync(log, 'utf8')).toBe('begin\nend\nbegin\nend\n');
  });
});
