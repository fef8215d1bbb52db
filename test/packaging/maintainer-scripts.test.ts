import { chmodSync, existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { beforeEach, expect, test } from 'vitest';
import { commandOutput } from '../../tools/lib/command.ts';
import { TempTree } from '../../tools/lib/fake-host.ts';
import { ownScript, ownText } from '../../tools/package/tree.ts';

const said = 'xen-exporter listens on 127.0.0.1 alone until you change LISTEN in /etc/default/xen-exporter.\n';
const shipped = ownText('default');

let root: TempTree;
beforeEach(() => {
  root = new TempTree();
  // These programs do nothing, so this machine does not change.
  for (const program of ['getent', 'useradd', 'userdel', 'systemctl', 'deb-systemd-helper', 'deb-systemd-invoke'])
    root.writeScript(`stubs/${program}`, 'exit 0');
  for (const script of ['postinst', 'prerm', 'postrm']) {
    root.write({ [script]: ownScript(`debian/${script}`) });
    chmodSync(root.path(script), 0o755);
  }
  root.write({ 'usr/share/xen-exporter/default': shipped });
  return () => root[Symbol.dispose]();
});

/** Output of a script that dpkg runs for a system below the folder. */
const run = (script: string, ...args: string[]): Promise<string> =>
  commandOutput(root.path(script), args, {
    env: { DPKG_ROOT: root.root, PATH: [root.path('stubs'), '/usr/sbin', '/usr/bin', '/sbin', '/bin'].join(delimiter) },
  });

const defaults = (): string => root.path('etc/default/xen-exporter');

test('a first installation listens on loopback alone, and says so in one line', async () => {
  expect(await run('postinst', 'configure', '')).toBe(said);
  expect(readFileSync(defaults(), 'utf8')).toBe(shipped);
  expect(shipped).toMatch(/^LISTEN="--web\.listen-address=127\.0\.0\.1:28697"$/m);
});

test('flags that are there already stay', async () => {
  root.write({ 'etc/default/xen-exporter': 'ARGS="--log.level=warn"\n' });
  expect(await run('postinst', 'configure', '')).toBe('');
  expect(readFileSync(defaults(), 'utf8')).toBe('ARGS="--log.level=warn"\n');
});

test.each([
  ['flags that nobody has changed', 'ARGS=""\nHELPER_ARGS=""\n'],
  ['flags of the administrator', 'ARGS="--web.config.file=/etc/xen-exporter/web.yml"\n'],
])('an upgrade leaves %s as they are, and says nothing', async (_, flags) => {
  root.write({ 'etc/default/xen-exporter': flags });
  expect(await run('postinst', 'configure', '0.0.9')).toBe('');
  expect(readFileSync(defaults(), 'utf8')).toBe(flags);
});

test('an upgrade makes no flags where the administrator has removed them: it would close what Prometheus reaches', async () => {
  expect(await run('postinst', 'configure', '0.0.9')).toBe('');
  expect(existsSync(defaults())).toBe(false);
});

test('a removal leaves the flags, a purge removes them and what else is empty', async () => {
  await run('postinst', 'configure', '');
  root.write({ 'etc/xen-exporter/web.yml': '' });
  await run('prerm', 'remove');
  await run('postrm', 'remove');
  expect(readFileSync(defaults(), 'utf8')).toBe(shipped);
  await run('postrm', 'purge');
  expect(existsSync(defaults())).toBe(false);
  expect(existsSync(root.path('etc/xen-exporter/web.yml'))).toBe(true);
  rmSync(join(root.root, 'etc/xen-exporter/web.yml'));
  writeFileSync(defaults(), '');
  await run('postrm', 'purge');
  expect(existsSync(root.path('etc/xen-exporter'))).toBe(false);
});
