import { execFile } from 'node:child_process';
import { mkdtemp, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';
import { debianRoot, debianTool, unpackedTool } from '../../../tools/lib/debian.ts';
import { withDirectoryLock } from '../../../tools/lib/directory-lock.ts';
import { project } from '../../../tools/lib/project.ts';

const run = promisify(execFile);

test.each(['prometheus', 'promtool'] as const)('%s is unpacked and runs', async (name) => {
  const { path, env } = await debianTool(name);
  const { stdout, stderr } = await run(path, ['--version'], { env });
  expect(stdout + stderr).toContain(`${name}, version 2.`);
});

test('ss runs from its packages with their libraries and no others but libc', { timeout: 300_000 }, async () => {
  const { path, env } = await unpackedTool('ss');
  expect((await run(path, ['-V'], { env })).stdout).toContain('iproute2');
  expect((await run(path, ['-tln'], { env })).stdout).toMatch(/^State\s+Recv-Q/);
  const root = await debianRoot([]);
  const elsewhere = (await run('ldd', [path], { env })).stdout
    .split('\n')
    .filter((line) => line.includes('=>') && !line.includes(root));
  expect(elsewhere.map((line) => line.trim().split(' ')[0])).toEqual(['libc.so.6', 'libresolv.so.2']);
});

test('what is unpacked stays as it is', async () => {
  const { path } = await debianTool('promtool');
  const before = await stat(path);
  await Promise.all([debianTool('promtool'), debianRoot(['prometheus'])]);
  expect((await stat(path)).ctimeMs).toBe(before.ctimeMs);
});

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
