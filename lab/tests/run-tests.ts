// npm run test:xen -- [--all] [--running] [ARGUMENTS OF VITEST]
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { Lab } from '../harness/lab.ts';
import { SCHEDULER_NAMES, USUAL_CPUS } from '../harness/qemu.ts';
import { tell } from '../harness/tell.ts';
import { project } from '../../tools/lib/project.ts';

const args = process.argv.slice(2);
const isFull = args.includes('--all');
const isRunning = args.includes('--running');
const rest = args.filter((arg) => !['--all', '--running'].includes(arg));

const lab = isRunning ? Lab.running() : undefined;
if (isRunning && lab === undefined) {
  tell('no lab runs: npm run lab:up');
  process.exit(1);
}
// The short form boots one host; a running lab counts as one.
const ofRunning = (running: Lab): string => {
  if (running.cpus !== USUAL_CPUS) return 'runbooks';
  if (running.init === 'systemd') return 'systemd';
  return running.threads === 'single' ? 'probes' : running.scheduler;
};
const ofAll = isFull ? [...SCHEDULER_NAMES, 'probes', 'systemd', 'runbooks'] : ['credit'];
const hosts = lab ? [ofRunning(lab)] : ofAll;
const files = hosts.map((host) => `lab/tests/${host}.xen.ts`);

// These tests install it.
if (hosts.includes('systemd') || hosts.includes('runbooks')) {
  const { status } = spawnSync('node', [join(project, 'tools/package/make.ts'), 'deb'], {
    stdio: 'inherit',
  });
  if (status !== 0) process.exit(1);
}

const config = join(import.meta.dirname, 'vitest.config.ts');
const { status } = spawnSync('npx', ['vitest', 'run', '--config', config, ...files, ...rest], {
  stdio: 'inherit',
  env: { ...process.env, ...(isFull ? { XEN_LAB_FULL: '1' } : {}), ...(isRunning ? { XEN_LAB_RUNNING: '1' } : {}) },
});
process.exitCode = status ?? 1;
