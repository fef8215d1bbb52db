import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { project } from '../../tools/lib/project.ts';

const room = join(project, 'src/host');

/** Output of a separate process that denies itself programs. */
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

/** Counts a process's io_uring rings. */
const countRings = `
    import { readdirSync, readlinkSync } from 'node:fs';
    const rings = () => readdirSync('/proc/self/fd').filter((fd) => {
      try {
        return readlinkSync('/proc/self/fd/' + fd) === 'anon_inode:[io_uring]';
      } catch {
        return false;
      }
    }).length;`;
/** Network, files and a thread with its own event loop: everything for which Node may use a ring. */
const useEverything = `
    import { once } from 'node:events';
    import { readFile } from 'node:fs/promises';
    import { createServer } from 'node:http';
    import { Worker } from 'node:worker_threads';
    const server = createServer((_, response) => response.end('served')).listen(0, '127.0.0.1');
    await once(server, 'listening');
    console.log(await (await fetch('http://127.0.0.1:' + server.address().port)).text());
    server.close();
    console.log((await readFile('/proc/self/comm', 'utf8')).trim() !== '');
    const [code] = await once(new Worker('setTimeout(() => process.exit(7), 10)', { eval: true }), 'exit');
    console.log(code);`;

test('no io_uring can be made or changed any longer, and Node goes on with what it has', () => {
  const said = after(`${countRings}
    import { installSeccompFilter, makingRings } from '${room}/seccomp.ts';
    import { loadLibc } from '${room}/libc.ts';
    await installSeccompFilter(makingRings);
    const before = rings();
    const { func, errno, errorName } = await loadLibc();
    const setup = func('long syscall(long, unsigned int, void *)');
    console.log(setup(425, 8, Buffer.alloc(120)), errorName(errno()));
    const register = func('long syscall(long, unsigned int, unsigned int, void *, unsigned int)');
    console.log(register(427, 0, 0, null, 0), errorName(errno()));
    ${useEverything}
    console.log(rings() - before);`);
  expect(said.split('\n')).toEqual(['-1 EPERM', '-1 EPERM', 'served', 'true', '7', '0', '']);
});

test('Node works without any io_uring, as the units start it', () => {
  const said = after(`
    import { spawnSync } from 'node:child_process';
    import { installSeccompFilter, makingRings } from '${room}/seccomp.ts';
    await installSeccompFilter(makingRings);
    const script = ${JSON.stringify(`${countRings}${useEverything}\n    console.log(rings());`)};
    const child = spawnSync(process.execPath, ['--input-type=module', '--eval', script], { encoding: 'utf8' });
    console.log(child.stdout + child.stderr + child.status);`);
  expect(said.split('\n')).toEqual(['served', 'true', '7', '0', '0', '']);
});
