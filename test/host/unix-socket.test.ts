import { createServer } from 'node:net';
import { expect, test } from 'vitest';
import { listenOnPath } from '../../src/host/unix-socket.ts';
import { TempTree } from '../../tools/lib/fake-host.ts';

test('a socket whose folder does not exist, or is a file, is refused with that reason', async () => {
  using tree = new TempTree().write({ file: '' });
  const listenOn = (name: string): Promise<void> => listenOnPath(createServer(), tree.path(name));
  await expect(listenOn('none/x.sock')).rejects.toThrow(
    `cannot listen on unix:${tree.path('none/x.sock')}: the folder ${tree.path('none')} does not exist`,
  );
  await expect(listenOn('file/x.sock')).rejects.toThrow(
    `cannot listen on unix:${tree.path('file/x.sock')}: ${tree.path('file')} is not a folder`,
  );
});
