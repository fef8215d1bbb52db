import { expect, test } from 'vitest';
import { setUpHost } from '../../src/commands/setup.ts';
import { resolveSettings } from '../../src/config/resolve-settings.ts';
import { TempTree } from '../../tools/lib/fake-host.ts';
import { recordingLog } from '../../tools/lib/recording-log.ts';

const warningsAt = async (procfs: string): Promise<string[]> => {
  const log = recordingLog();
  const { global } = resolveSettings([], { given: { 'path.procfs': procfs } }, undefined);
  await setUpHost(global, log, () => {});
  // Other tests leave programs of killed exporters, which any start ends and logs.
  return log.lines.filter((line) => line.includes('--path.procfs'));
};

test('a --path.procfs that leads to no procfs is a warning, which names flag, path and what was expected', async () => {
  using tree = new TempTree().write({ 'good/stat': 'cpu  1 2 3\ncpu0 1 2 3\n', 'bad/stat': '', 'empty/file': '' });
  const warning = (folder: string, found: string): string => {
    const stat = tree.path(`${folder}/stat`);
    return `warn | --path.procfs is not a procfs | ${tree.path(folder)} | a file ${stat} that begins with cpu | ${found}`;
  };
  expect(await warningsAt(tree.path('good'))).toEqual([]);
  expect(await warningsAt(tree.path('bad'))).toEqual([warning('bad', 'another content')]);
  const missing = (folder: string): string =>
    warning(folder, `${tree.path(folder)}/stat: ENOENT: no such file or directory`);
  expect(await warningsAt(tree.path('empty'))).toEqual([missing('empty')]);
  expect(await warningsAt(tree.path('none'))).toEqual([missing('none')]);
});

test('the procfs of this machine is one', async () => expect(await warningsAt('/proc')).toEqual([]));
