import { execFile } from 'node:child_process';
import { mkdtemp, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';
import { withDirectoryLock } from '../../../tools/lib/directory-lock.ts';
import { project } from '../../../tools/lib/project.ts';

const run = promisify(execFile);

test('the lock admits one at a time and outlives an owner that died', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'lock-'));
  try {
    const lock = join(folder, 'lock');
    const script = `
      import { withDirectoryLock } from ${JSON.stringify(join(project, 'tools/lib/directory-lock.ts'))};
      await withDirectoryLock(${JSON.stringify(lock)}, 1000, async () => process.kill(process.pid, 'SIGKILL'));`;
    await expect(run(process.execPath, ['--input-type=module', '--eval', script])).rejects.toThrow();
    expect((await stat(lock)).isDirectory()).toBe(true);

    let inside = 0;
    let most = 0;
    const task = async () => {
      most = Math.max(most, ++inside);
      await new Promise((done) => setImmediate(done));
      inside -= 1;
    };
    await Promise.all(Array.from({ length: 5 }, () => withDirectoryLock(lock, 10_000, task)));
    expect(most).toBe(1);
  } finally {
    await rm(folder, { recursive: true });
  }
});
