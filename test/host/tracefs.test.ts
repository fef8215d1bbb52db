import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { localTracefs } from '../../src/host/tracefs.ts';
import { exitOf } from '../../tools/lib/child.ts';
import { TempTree } from '../../tools/lib/fake-host.ts';
import { project } from '../../tools/lib/project.ts';

test('one process has the lock, until it gives it back', async () => {
  using tree = new TempTree();
  const [first, second] = [localTracefs(tree.root), localTracefs(tree.root)];
  const lock = await first.lock();
  expect(lock).toBeDefined();
  expect(await second.lock()).toBeUndefined();
  lock![Symbol.dispose]();
  using again = await second.lock();
  expect(again).toBeDefined();
});

test('the kernel releases the lock of a process that is killed, while a program that it started goes on', async () => {
  using tree = new TempTree();
  const script = `
    import { spawn } from 'node:child_process';
    import { localTracefs } from ${JSON.stringify(join(project, 'src/host/tracefs.ts'))};
    const lock = await localTracefs(${JSON.stringify(tree.root)}).lock();
    const program = spawn('sleep', ['300'], { stdio: 'ignore' });
    program.once('spawn', () => console.log(lock === undefined ? 'none' : program.pid));`;
  const holder = spawn(process.execPath, ['--input-type=module', '--eval', script], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const exited = exitOf(holder);
  const [said] = (await once(holder.stdout, 'data')) as [Buffer];
  const program = Number(said);
  try {
    expect(program).toBeGreaterThan(0);
    expect(await localTracefs(tree.root).lock()).toBeUndefined();
    holder.kill('SIGKILL');
    await exited;
    using lock = await localTracefs(tree.root).lock();
    expect(lock).toBeDefined();
  } finally {
    process.kill(program, 'SIGKILL');
  }
});

test('a folder that is not there is a FileError', async () => {
  using tree = new TempTree();
  await expect(localTracefs(tree.path('none')).lock()).rejects.toMatchObject({ name: 'FileError', code: 'ENOENT' });
});
