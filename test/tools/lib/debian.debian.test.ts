import { execFile } from 'node:child_process';
import { stat } from 'node:fs/promises';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';
import { debianRoot, debianTool, prometheusVersion, unpackedTool } from '../../../tools/lib/debian.ts';

const run = promisify(execFile);

test.each(['prometheus', 'promtool'] as const)('%s is unpacked and runs', async (name) => {
  const { path, env } = await debianTool(name);
  const { stdout, stderr } = await run(path, ['--version'], { env });
  expect(stdout + stderr).toContain(`${name}, version ${prometheusVersion}.`);
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
