import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { project } from '../../tools/lib/project.ts';

const room = join(project, 'src/host');

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
    import { installSeccompFilter, startingPrograms } from '${room}/seccomp.ts';
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
    await installSeccompFilter(startingPrograms);
    console.log(spawnSync('/bin/true').error?.code, spawnSync('/bin/sh', ['-c', 'echo no']).error?.code);
    inThread.postMessage('');
    console.log((await once(inThread, 'message'))[0]);
    console.log(readFileSync('/proc/self/status', 'latin1').match(/^Seccomp:.*|^NoNewPrivs:.*/gm).join(' '));
    await inThread.terminate();`);
  expect(said.split('\n')).toEqual(['0', 'EPERM EPERM', 'EPERM', 'NoNewPrivs:\t1 Seccomp:\t2', '']);
});

test('no other port can be opened; those that are open go on, and so do connections of its own', () => {
  const said = after(`
    import { connect, createServer } from 'node:net';
    import { once } from 'node:events';
    import { installSeccompFilter, listening } from '${room}/seccomp.ts';
    import { openNetlink } from '${room}/netlink.ts';
    const open = createServer((socket) => socket.end('hello')).listen(0, '127.0.0.1');
    await once(open, 'listening');
    await installSeccompFilter(listening);
    for (const where of [{ port: 0, host: '127.0.0.1' }, { path: '@xen-exporter-test-' + process.pid }]) {
      const [error] = await once(createServer().listen(where).once('listening', () => console.log('listens')), 'error');
      console.log(error.code);
    }
    console.log(String(Buffer.concat(await connect(open.address().port, '127.0.0.1').toArray())));
    const qdiscs = Buffer.alloc(36);
    qdiscs.writeUInt32LE(36, 0);
    qdiscs.writeUInt16LE(38, 4);
    qdiscs.writeUInt16LE(0x301, 6);
    console.log((await openNetlink()).exchange('route', qdiscs).length > 0);
    open.close();`);
  expect(said.split('\n')).toEqual(['EPERM', 'EPERM', 'hello', 'true', '']);
});
