import { spawnSync } from 'node:child_process';
import { resolve } from 'node:path';
import { expect, test } from 'vitest';

const room = resolve(import.meta.dirname, '../../src/host');

/** What a process of its own, which forbids itself programs, says. */
const after = (script: string): string => {
  const { stdout, stderr } = spawnSync(process.execPath, ['--input-type=module', '--eval', script], {
    encoding: 'utf8',
  });
  return stdout + stderr;
};

test('no program can be started any longer, by no thread, nor by what was forked; all else goes on', () => {
  const said = after(`
    import { readFileSync } from 'node:fs';
    import { spawnSync } from 'node:child_process';
    import { Worker } from 'node:worker_threads';
    import { once } from 'node:events';
    import { forbidPrograms } from '${room}/no-programs.ts';
    const thread = \`
      import { spawnSync } from 'node:child_process';
      import { parentPort } from 'node:worker_threads';
      parentPort.once('message', () => {
        const { status, error } = spawnSync('/bin/true');
        parentPort.postMessage(error?.code ?? status);
      });\`;
    const inThread = new Worker(new URL('data:text/javascript,' + encodeURIComponent(thread)));
    await once(inThread, 'online');
    console.log(spawnSync('/bin/true').status);
    await forbidPrograms();
    console.log(spawnSync('/bin/true').error?.code, spawnSync('/bin/sh', ['-c', 'echo no']).error?.code);
    inThread.postMessage('');
    console.log((await once(inThread, 'message'))[0]);
    console.log(readFileSync('/proc/self/status', 'latin1').match(/^Seccomp:.*|^NoNewPrivs:.*/gm).join(' '));
    await inThread.terminate();`);
  expect(said.split('\n')).toEqual(['0', 'EPERM EPERM', 'EPERM', 'NoNewPrivs:\t1 Seccomp:\t2', '']);
});
