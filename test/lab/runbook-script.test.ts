import { spawnSync } from 'node:child_process';
import { describe, expect, test } from 'vitest';
import { runsOf, scriptOf, withValues } from '../../lab/tests/runbook-script.ts';

test('commands of one machine are typed in one go', () => {
  expect(
    runsOf([
      { machine: 'dom0', command: 'a' },
      { machine: 'dom0', command: 'b' },
      { machine: 'guest', command: 'c' },
      { machine: 'dom0', command: 'd' },
    ]),
  ).toEqual([
    { machine: 'dom0', commands: ['a', 'b'] },
    { machine: 'guest', commands: ['c'] },
    { machine: 'dom0', commands: ['d'] },
  ]);
});

describe('a script', () => {
  const run = (...commands: string[]) => spawnSync('bash', ['-c', scriptOf(commands)], { encoding: 'utf8' });

  test('keeps variables from one command to the next', () => {
    expect(run("G='web server'", 'printf %s "$G"')).toMatchObject({ status: 0, stdout: 'web server' });
  });

  test('ends at the first command that fails', () => {
    expect(run('echo one', 'false', 'echo two')).toMatchObject({
      status: 1,
      stdout: 'one\n',
      stderr: 'failed with status 1\n',
    });
  });

  test('goes on after a command in the background', () => {
    expect(run('sleep 0 &', 'echo two')).toMatchObject({ status: 0, stdout: 'two\n' });
  });
});

describe('values', () => {
  test('are asked for once, and only what is needed', async () => {
    const asked: string[] = [];
    const valueOf = (name: string) => {
      asked.push(name);
      return Promise.resolve('4-7');
    };
    expect(await withValues(['xl vcpu-pin 1 all <CPUS>', "echo '<CPUS>'"], valueOf)).toEqual([
      'xl vcpu-pin 1 all 4-7',
      "echo '4-7'",
    ]);
    expect(asked).toEqual(['CPUS']);
  });

  test('that there are not are an error', async () => {
    await expect(withValues(['echo <BDF>'], () => Promise.resolve(undefined))).rejects.toThrow(
      'no value for <BDF> of: echo <BDF>',
    );
  });
});
