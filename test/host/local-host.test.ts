import { expect, test } from 'vitest';
import { livePaths, localHost } from '../../src/host/local-host.ts';
import { xenProgram } from '../../src/sources/programs.ts';
import { TempTree } from '../../tools/lib/fake-host.ts';

const none = 'no-such-program';
const reasonOn = async (procfs: string, tools: readonly string[]): Promise<unknown> =>
  xenProgram((await localHost({ ...livePaths, procfs, tools })).commands, none);

test('a program that does not exist: the reason names where it was looked for', async () => {
  using tree = new TempTree();
  expect(await reasonOn('/proc', [])).toEqual({
    reason: `there is no ${none} on the PATH or in /usr/lib/xen-*/bin (--path.tools adds folders)`,
  });
  expect(await reasonOn('/proc', ['/opt/xen', '/opt/ovs'])).toEqual({
    reason: `there is no ${none} in /opt/xen, /opt/ovs, on the PATH or in /usr/lib/xen-*/bin (--path.tools adds folders)`,
  });
  const onlyTools = '(with another --path.procfs than /proc only the folders of --path.tools count)';
  expect(await reasonOn(tree.root, ['/opt/xen'])).toEqual({ reason: `there is no ${none} in /opt/xen ${onlyTools}` });
  expect(await reasonOn(tree.root, [])).toEqual({
    reason: `there is no ${none} in a folder of --path.tools, which is not set ${onlyTools}`,
  });
});
