import { randomUUID } from 'node:crypto';
import { mkdir, readdir, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { isAlive } from './child.ts';
import { until } from './until.ts';

/**
 * Runs a task while holding a lock between processes. The lock is a directory with one file, named after its owner.
 * rename(2) moves a prepared directory into place only if none exists or it is empty, and removing a dead owner's file
 * can never hit the next owner's.
 */
export async function withDirectoryLock<T>(lock: string, timeoutMs: number, task: () => Promise<T>): Promise<T> {
  const owner = `${process.pid}-${randomUUID()}`;
  const prepared = `${lock}.${owner}`;
  await mkdir(prepared, { recursive: true });
  await writeFile(join(prepared, owner), '');
  try {
    await until(`waiting for ${lock}`, () => taken(prepared, lock), { timeoutMs, intervalMs: 50 });
    return await task();
  } finally {
    await rm(join(lock, owner), { force: true });
    await rm(prepared, { recursive: true, force: true });
  }
}

async function taken(prepared: string, lock: string): Promise<boolean> {
  try {
    await rename(prepared, lock);
    return true;
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code !== 'ENOTEMPTY' && code !== 'EEXIST') throw error;
  }
  for (const owner of await readdir(lock)) {
    if (!isAlive(Number.parseInt(owner, 10))) await rm(join(lock, owner), { force: true });
  }
  return false;
}
