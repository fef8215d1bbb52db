import { readdirSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { describe, expect, test } from 'vitest';
import { globalOptions } from '../../src/config/global-options.ts';
import { toolSays } from '../../tools/lib/debian.ts';
import { TempTree } from '../../tools/lib/fake-host.ts';
import { project } from '../../tools/lib/project.ts';

const folder = join(project, 'systemd');
const units = ['xen-exporter', 'xen-exporter-dom0', 'xen-exporter-helper'] as const;
type Unit = (typeof units)[number];

/** Settings of a unit or a drop-in, with all values of each in order. */
const settingsIn = (file: string): Map<string, string[]> => {
  const settings = new Map<string, string[]>();
  for (const line of readFileSync(resolve(folder, file), 'utf8').split('\n')) {
    const [, key = '', value = ''] = /^(\w+)=(.*)$/.exec(line) ?? [];
    if (key !== '') settings.set(key, [...(settings.get(key) ?? []), value]);
  }
  return settings;
};
const settingsOf = (unit: Unit): Map<string, string[]> => settingsIn(`${unit}.service`);

/** systemd's own rating of a unit: 0 is locked up, 10 wide open. */
const exposureOf = async (unit: Unit): Promise<number> => {
  const file = resolve(folder, `${unit}.service`);
  const { stdout, stderr } = await toolSays('systemd-analyze', ['security', '--offline=true', '--no-pager', file]);
  const [, exposure] = /Overall exposure level for \S+: ([\d.]+)/.exec(stdout) ?? [];
  if (exposure === undefined) throw new Error(`systemd-analyze security says no exposure: ${stdout}${stderr}`);
  return Number(exposure);
};

test.each([
  ['xen-exporter', 1.1],
  ['xen-exporter-dom0', 1.3],
  ['xen-exporter-helper', 1.1],
] as const)('systemd-analyze security: %s is exposed at most %f of 10', async (unit, most) => {
  expect(await exposureOf(unit)).toBeLessThanOrEqual(most);
});

const files = readdirSync(folder).filter((name) => /\.(service|socket)$/.test(name));

test.each(files)('systemd-analyze verify: %s has no setting that systemd does not know', async (file) => {
  const { stdout, stderr } = await toolSays('systemd-analyze', ['verify', resolve(folder, file)]);
  const lines = `${stdout}${stderr}`.split('\n').filter((line) => line.includes('xen-exporter'));
  // The program is not installed here.
  expect(lines.filter((line) => !/Command \/usr\/bin\/xen-exporter is not executable/.test(line))).toEqual([]);
});

describe('the units fit together, and the exporter', () => {
  const [guest, web, helper] = units.map(settingsOf) as [
    ReturnType<typeof settingsOf>,
    ReturnType<typeof settingsOf>,
    ReturnType<typeof settingsOf>,
  ];

  test('the helper serves where the exporter asks, in a folder of its own', () => {
    expect(globalOptions['helper.socket'].default).toBe(`/run/${helper.get('RuntimeDirectory')![0]}/helper.sock`);
    expect(helper.get('RuntimeDirectoryMode')).toEqual(['0750']);
    expect(helper.get('Group')).toEqual(web.get('Group'));
    expect(web.get('ExecStart')).toEqual(['/usr/bin/xen-exporter --privileged-reads=helper $LISTEN $ARGS']);
    expect(helper.get('ExecStart')).toEqual(['/usr/bin/xen-exporter helper $HELPER_ARGS']);
  });

  test('none has a capability; the helper alone is root, and it alone has no network', () => {
    for (const unit of [guest, web, helper]) expect(unit.get('CapabilityBoundingSet')).toEqual(['']);
    expect(guest.get('DynamicUser')).toEqual(['yes']);
    expect([guest, web, helper].map((unit) => unit.get('User')?.[0])).toEqual(['xen-exporter', 'xen-exporter', 'root']);
    expect(helper.get('PrivateNetwork')).toEqual(['yes']);
    expect(helper.get('RestrictAddressFamilies')).toEqual(['AF_UNIX']);
  });

  test('each is killed before what the machine needs, takes one processor at most, and leaves no core file', () => {
    for (const unit of [guest, web, helper]) {
      expect(Number(unit.get('OOMScoreAdjust'))).toBe(500);
      expect(unit.get('LimitCORE')).toEqual(['0']);
      expect(unit.get('CPUQuota')).toEqual(['100%']);
      expect(unit.get('MemoryMax')).toEqual(settingsIn('systemd-219.conf').get('MemoryLimit'));
    }
  });

  test('none can use io_uring, which gets round the filters of system calls', async () => {
    const { stdout } = await toolSays('systemd-analyze', ['syscall-filter', '@aio', '--no-pager']);
    for (const call of ['io_uring_setup', 'io_uring_register', 'io_uring_enter']) expect(stdout).toContain(call);
    for (const unit of [guest, web, helper]) expect(unit.get('SystemCallFilter')!.at(-1)).toMatch(/^~.*@aio/);
  });

  test('each is started again however often it dies', () => {
    for (const unit of [guest, web, helper]) {
      expect(unit.get('Restart')).toEqual(['always']);
      expect(unit.get('StartLimitIntervalSec')).toEqual(['0']);
    }
  });

  test('what an administrator gives to the group xen-exporter, each can read', () => {
    for (const unit of [guest, web, helper]) expect(unit.get('Group')).toEqual(['xen-exporter']);
    expect(readFileSync(join(project, 'packaging/system.sh'), 'utf8')).toMatch(/^account=xen-exporter$/m);
  });

  test('an older file of flags has no LISTEN: then it is empty', () => {
    for (const unit of [guest, web]) expect(unit.get('Environment')).toContain('LISTEN=');
    expect(guest.get('ExecStart')).toEqual(['/usr/bin/xen-exporter $LISTEN $ARGS']);
  });

  test('the only port is the default one', () => {
    const port = /\d+$/.exec(globalOptions['web.listen-address'].default[0]!)![0];
    for (const unit of [guest, web]) {
      expect(unit.get('SocketBindDeny')).toEqual(['any']);
      expect(unit.get('SocketBindAllow')).toEqual([`tcp:${port}`]);
    }
  });
});

describe('each unit starts where it belongs, and leaves the other one alone elsewhere', () => {
  const xenfs = 'proc/xen/xsd_port';
  const device = 'dev/xen/xenbus_backend';
  const mark = 'etc/xen-exporter/driver-domain';
  const machines = [
    ['a guest, or a machine without Xen', [], 'xen-exporter'],
    ['a Dom0', [xenfs, device], 'xen-exporter-dom0'],
    ['a Dom0 without xenfs', [device], 'xen-exporter-dom0'],
    ['a Dom0 without devtmpfs', [xenfs], 'xen-exporter-dom0'],
    ['a driver domain', [mark], 'xen-exporter-dom0'],
  ] as const;

  const isAssertion = ([key]: readonly [string, unknown]): boolean => key.startsWith('Assert');

  /** Whether systemd would start a unit on a machine with root folder `root`, according to its assertions. */
  const startsOn = async (root: string, file: string): Promise<boolean> => {
    const assertions = [...settingsIn(file)].filter(isAssertion);
    const all = assertions.flatMap(([key, values]) =>
      values.map((value) => `${key}=${value.replace('/', `${root}/`)}`),
    );
    expect(all.length, file).toBeGreaterThan(0);
    const { stdout, stderr } = await toolSays('systemd-analyze', ['condition', ...all]);
    const [, verdict] = /^Asserts (succeeded|failed)\.$/m.exec(stdout + stderr) ?? [];
    if (verdict === undefined) throw new Error(`systemd-analyze condition gives no verdict: ${stdout}${stderr}`);
    return verdict === 'succeeded';
  };

  test.each(machines)('%s', async (_, paths, own) => {
    using root = new TempTree().write(Object.fromEntries(paths.map((path) => [path, ''])));
    const started: string[] = [];
    for (const file of files) if (await startsOn(root.root, file)) started.push(file);
    const helper = own === 'xen-exporter-dom0' ? ['xen-exporter-helper.service'] : [];
    expect(started.sort()).toEqual([`${own}.service`, `${own}.socket`, ...helper].sort());
  });

  test('no unit stops another: the stop job of Conflicts= runs even if the assertions of its unit fail', () => {
    for (const file of files) expect([...settingsIn(file).keys()], file).not.toContain('Conflicts');
  });

  test('the installer takes the same machines for hosts', () => {
    const shell = readFileSync(join(project, 'packaging/system.sh'), 'utf8');
    const [, configFolder] = /^config_folder=(.*)$/m.exec(shell)!;
    const [, body] = /^is_host\(\) \{\n(.*?)\n\}/ms.exec(shell)!;
    const tested = [...body!.matchAll(/-e "?([^\s"]+)"?/g)].map(([, path]) =>
      path!.replace('$config_folder', configFolder!),
    );
    expect(tested).toEqual([xenfs, device, mark].map((path) => `/${path}`));
  });
});
