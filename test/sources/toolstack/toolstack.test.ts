import { Unavailable } from '../../../src/host/unavailable.ts';
import { describe, expect, test } from 'vitest';
import type { Clock } from '../../../src/host/clock.ts';
import { BackgroundReading } from '../../../src/sources/background-reading.ts';
import type { BackgroundTask } from '../../../src/sources/background-task.ts';
import { DomainDirectory, domainLabels, uuidOwners } from '../../../src/sources/toolstack/domain-directory.ts';
import { Toolstack } from '../../../src/sources/toolstack/toolstack.ts';
import { printable } from '../../../src/formats/printable.ts';
import { parseXlListLong, type XlDomainConfig } from '../../../src/formats/xl-list-long.ts';
import { parseXlList, type XlDomain } from '../../../src/formats/xl-list.ts';
import type { Command, CommandOutput } from '../../../src/host/commands.ts';
import { readText } from '../../../tools/lib/fixture.ts';
import { fakeClock, fakeHost, TempTree } from '../../../tools/lib/fake-host.ts';
import { hostOf, hostRoot } from '../../../tools/lib/hosts.ts';
import { toolstackOf } from '../../../tools/lib/sources.ts';

const template = parseXlList(readText('hosts/credit-storm/commands/xl list -v'))[1]!;
const [templateConfig] = parseXlListLong(readText('hosts/credit-storm/commands/xl list -l')) as [XlDomainConfig];
const domain = (domid: number, name: string | undefined): XlDomain => ({ ...template, domid, name });

describe('labels of domains', () => {
  test("a name cannot take the label of another domain's number, wherever it stands in the list", () => {
    const domains = [
      domain(1, 'domid:3'),
      domain(2, 'uuid:0'),
      domain(3, 'web'),
      domain(4, 'web'),
      domain(5, 'domid:5'),
    ];
    expect([...domainLabels(domains).values()]).toEqual(['domid:1', 'domid:2', 'web', 'domid:4', 'domid:5']);
  });

  test.each([
    ['accents of their own', 'caf\u00e9', 'cafe\u0301'],
    ['letters of another width', 'web', '\uff57\uff45\uff42'],
    ['spaces of another width', 'web 1', 'web\u00a01'],
    ['spaces around it', 'web', '\u2003web'],
    ['invisible letters', 'web\u3164', 'web\u2800'],
  ])('a name that only looks like another one is no label: %s', (_, older, younger) => {
    const labels = [...domainLabels([domain(1, older), domain(2, younger)]).values()];
    expect(labels).toEqual([printable(older), 'domid:2']);
  });

  test('nor is one that looks like the label of a number, an empty or a very long one', () => {
    const names = ['Domid:3', '\uff44omid:3', ' domid:3', '', '\u3000', 'a'.repeat(256)];
    const labels = domainLabels(names.map((name, i) => domain(i + 1, name)));
    expect([...labels.values()]).toEqual(names.map((_, i) => `domid:${i + 1}`));
    expect(domainLabels([domain(1, 'a'.repeat(255))]).get(1)).toHaveLength(255);
  });

  test('a domain that can run owns its name and uuid, not what a migration has left of it', () => {
    const paused = { ...domain(1, 'web').states, paused: true, blocked: false };
    const left = { ...domain(1, 'web'), states: paused };
    const running = domain(7, 'web');
    expect([...domainLabels([left, running])]).toEqual([
      [1, 'domid:1'],
      [7, 'web'],
    ]);
    expect([...uuidOwners([left, running])]).toEqual([[left.uuid, 7]]);
    // The older of two with equal rank owns the name.
    const both = [left, { ...running, states: paused }];
    expect([[...domainLabels(both).values()], [...uuidOwners(both)]]).toEqual([['web', 'domid:7'], [[left.uuid, 1]]]);
  });

  test.each([
    ['a guest that runs, to one of any other state', {}, { paused: true }],
    ['one that runs, to what is shut down', {}, { shutdown: true }],
    ['a paused guest, to what has ended', { paused: true }, { shutdown: true }],
    ['a paused guest, to what is being removed', { paused: true }, { dying: true, paused: true }],
    ['one that has ended, to what is being removed', { shutdown: true }, { shutdown: true, dying: true }],
  ])('%s, whichever comes first', (_what, states, ofLeftover) => {
    const quiet = { running: false, blocked: false, paused: false, shutdown: false, crashed: false, dying: false };
    for (const [owner, other] of [
      [1, 7],
      [7, 1],
    ] as const) {
      const twins = [
        { ...domain(owner, 'web'), states: { ...quiet, ...states } },
        { ...domain(other, 'web'), states: { ...quiet, ...ofLeftover } },
      ].sort((a, b) => a.domid - b.domid);
      expect(domainLabels(twins).get(owner)).toBe('web');
      expect(domainLabels(twins).get(other)).toBe(`domid:${other}`);
      expect([...uuidOwners(twins)]).toEqual([[template.uuid, owner]]);
    }
  });

  test('a guest that comes by migration (web--incoming) and its source have one uuid: the one that runs owns it', () => {
    const incoming = { ...domain(9, 'web--incoming'), states: { ...template.states, paused: true } };
    const twins = [domain(5, 'web'), incoming];
    expect([...domainLabels(twins).values()]).toEqual(['web', 'web--incoming']);
    expect(uuidOwners(twins).get(template.uuid)).toBe(5);
    const away = { ...domain(5, 'web--migratedaway'), states: { ...template.states, shutdown: true } };
    expect(uuidOwners([away, domain(9, 'web')]).get(template.uuid)).toBe(9);
  });

  test('one label never stands for two, and a domain without a name has none', () => {
    const domains = [domain(0, 'dom0'), domain(3, 'web'), domain(4, undefined), domain(5, 'web'), domain(6, 'db')];
    expect([...domainLabels(domains)]).toEqual([
      [0, 'dom0'],
      [3, 'web'],
      [5, 'domid:5'],
      [6, 'db'],
    ]);
  });
});

describe('whose a device is', () => {
  const directoryOf = (...lists: XlDomain[][]) => {
    const clock = fakeClock();
    const list = new BackgroundReading<readonly XlDomain[]>({
      name: 'xl list -v',
      every: { seconds: 5 },
      clock,
      read: () => (lists.length === 0 ? Promise.reject(new Error('xl hangs')) : Promise.resolve(lists.shift()!)),
    });
    let asked = 0;
    list.onStart(() => (asked += 1));
    const known: XlDomainConfig[] = [];
    const read = () => Promise.resolve([...known]);
    const configs = new BackgroundReading({ name: 'xl list -l', every: { seconds: 300 }, clock, read });
    const awaited = new Set<number>();
    const directory = new DomainDirectory({ domains: list, configs, isAwaited: (domid) => awaited.has(domid) });
    return { list, configs, known, awaited, directory, asked: () => asked };
  };

  test('names come with the list; an unknown domid has a new list read at once, but once only', async () => {
    const { list, directory, asked } = directoryOf([domain(7, 'web')], [domain(7, 'web'), domain(9, 'db')]);
    expect(directory.ownerOf(7)).toBeUndefined();
    await list.run();
    expect(directory.ownerOf(7)).toEqual({ label: 'web', isStub: false });
    const before = asked();
    expect([directory.ownerOf(9), directory.ownerOf(9), asked()]).toEqual([undefined, undefined, before + 1]);
    await list.run();
    expect(directory.ownerOf(9)).toEqual({ label: 'db', isStub: false });
  });

  test('a domain that is no longer listed owns nothing, whatever devices remain', async () => {
    const { list, directory } = directoryOf([domain(7, 'web')], [domain(8, 'web')]);
    await list.run();
    await list.run();
    expect([directory.ownerOf(7), directory.ownerOf(8)]).toEqual([undefined, { label: 'web', isStub: false }]);
  });

  test('a domain that is there but has no name yet waits, without a new list each time', async () => {
    const { list, directory, asked } = directoryOf([domain(7, undefined)]);
    await list.run();
    expect([directory.ownerOf(7), asked()]).toEqual([undefined, 0]);
  });

  test('while xl does not answer the names of before serve', async () => {
    const { list, directory } = directoryOf([domain(7, 'web')]);
    await list.run();
    await expect(list.run()).rejects.toThrow('xl hangs');
    expect(directory.ownerOf(7)).toEqual({ label: 'web', isStub: false });
  });

  const config = (domid: number, hasStubDomain: boolean): XlDomainConfig => ({
    ...templateConfig,
    domid,
    hasStubDomain,
  });

  test("a stub domain's devices are its guest's if the guest is configured to have one, whatever others are called", async () => {
    const named = [
      domain(7, 'win'),
      domain(8, 'win-dm'),
      domain(9, 'web'),
      domain(10, 'web-dm'),
      domain(11, 'other-dm'),
    ];
    const { list, configs, known, directory } = directoryOf(named);
    known.push(config(7, true), config(9, false));
    await Promise.all([list.run(), configs.run()]);
    expect(directory.ownerOf(8)).toEqual({ label: 'win', isStub: true });
    expect(directory.ownerOf(10)).toEqual({ label: 'web-dm', isStub: false });
    expect(directory.ownerOf(11)).toEqual({ label: 'other-dm', isStub: false });
  });

  test('of two domains that are called as a stub domain the second is none', async () => {
    const { list, configs, known, directory } = directoryOf([
      domain(7, 'win'),
      domain(8, 'win-dm'),
      domain(9, 'win-dm'),
    ]);
    known.push(config(7, true));
    await Promise.all([list.run(), configs.run()]);
    expect(directory.ownerOf(9)).toEqual({ label: 'domid:9', isStub: false });
  });

  test('what is called as a stub domain waits while the configuration of its guest is awaited, and no longer', async () => {
    const named = [domain(7, 'win'), domain(8, 'win-dm')];
    const { list, configs, known, awaited, directory } = directoryOf(named, [...named], [...named]);
    awaited.add(7);
    await list.run();
    expect([directory.ownerOf(7), directory.ownerOf(8)]).toEqual([{ label: 'win', isStub: false }, undefined]);
    awaited.clear();
    await list.run();
    expect(directory.ownerOf(8)).toEqual({ label: 'win-dm', isStub: false });
    known.push(config(7, true));
    await configs.run();
    expect(directory.ownerOf(8)).toEqual({ label: 'win', isStub: true });
  });

  test('a driver domain cannot read names: domids serve', () => {
    expect(new DomainDirectory(undefined).ownerOf(7)).toEqual({ label: 'domid:7', isStub: false });
  });
});

describe('where xl can be asked', () => {
  test('Dom0 with an xl', () => {
    expect(typeof toolstackOf(hostOf('credit-storm')).xl).toBe('object');
  });

  test('Dom0 without: says what is missing, and goes by domids', () => {
    const host = fakeHost(hostRoot('credit-storm'));
    expect(toolstackOf(host).xl).toEqual(new Unavailable('there is no xl among the recorded programs'));
    expect(toolstackOf(host).directory.ownerOf(1)).toEqual({ label: 'domid:1', isStub: false });
  });

  test('another domain with an xl, such as a driver domain: xl is not asked', () => {
    using tree = new TempTree().write({ 'sys/hypervisor/type': 'xen\n', 'proc/xen/capabilities': '' });
    const host = fakeHost(tree.root, { commands: { find: () => '/usr/sbin/xl' } });
    expect(toolstackOf(host).xl).toEqual(new Unavailable('only Dom0 can ask the toolstack, and this is not Dom0'));
  });
});

describe('readings', () => {
  const ok = (every: BackgroundTask['every'], clock: Clock) =>
    new BackgroundReading({ name: 'xl info', every, clock, read: () => Promise.resolve('ok') });

  test('go stale after three periods, which is a failure; before the first there is none', async () => {
    const clock = fakeClock();
    const reading = ok({ seconds: 5 }, clock);
    expect([reading.fresh, reading.staleness]).toEqual([undefined, undefined]);
    await reading.run();
    clock.advance(15);
    expect([reading.fresh, reading.staleness]).toEqual(['ok', undefined]);
    clock.advance(1);
    expect([reading.fresh, reading.last]).toEqual([undefined, 'ok']);
    expect(reading.staleness?.message).toBe('xl info: expected a reading at most 15 s old, found one 16 s old');
    await reading.run();
    expect([reading.fresh, reading.staleness]).toEqual(['ok', undefined]);
  });

  test('those with a cron pattern too: three of its periods', async () => {
    const clock = fakeClock();
    const reading = ok({ cron: '*/5 * * * *' }, clock);
    await reading.run();
    clock.advance(900);
    expect(reading.fresh).toBe('ok');
    clock.advance(1);
    expect(reading.fresh).toBeUndefined();
  });

  test('those that are taken at two hours of the night are fresh by day', async () => {
    const clock = fakeClock();
    const reading = ok({ cron: '0 1,2 * * *' }, clock);
    await reading.run();
    clock.advance(23 * 3600);
    expect([reading.fresh, reading.staleness]).toEqual(['ok', undefined]);
  });

  test('an exit status of 0 proves nothing: the error names the command, what was wrong, and what it complained of', async () => {
    const host = hostOf('credit2-storm');
    const run = (command: Command) =>
      Promise.resolve({ stdout: '', complaint: `libxl: error: of ${command.args.join(' ')}` });
    const { xl } = toolstackOf({ ...host, commands: { ...host.commands, run } });
    if (xl instanceof Unavailable) throw new Error(xl.reason);
    await expect(xl.domains.run()).rejects.toThrow(
      `${hostRoot('credit2-storm')}/bin/xl list -v: expected lines that all end in a newline, found no output (it said: libxl: error: of list -v)`,
    );
  });

  test('a domain that the inventory does not know has it read at once, until it is in it', async () => {
    const host = hostOf('credit-storm');
    const newcomer = (text: string): string => text.replace(/^pvh1( +)3 /m, 'late$1 9 ');
    let isLate = false;
    const run = async (command: Command) => {
      const output = await host.commands.run(command);
      return isLate && command.name === 'xl list -v' ? { ...output, stdout: newcomer(output.stdout) } : output;
    };
    const { xl } = toolstackOf({ ...host, commands: { ...host.commands, run } });
    if (xl instanceof Unavailable) throw new Error(xl.reason);
    const asked = { configs: 0, cpupools: 0 };
    xl.configs.onStart(() => (asked.configs += 1));
    xl.cpupools.onStart(() => (asked.cpupools += 1));
    await xl.domains.run();
    expect(asked).toEqual({ configs: 0, cpupools: 0 });
    expect(xl.isAwaited(1)).toBe(true);
    await xl.configs.run();
    await xl.domains.run();
    expect(xl.isAwaited(1)).toBe(false);
    expect(asked).toEqual({ configs: 0, cpupools: 0 });
    isLate = true;
    await xl.domains.run();
    expect(xl.domains.fresh?.map(({ domid }) => domid)).toEqual([0, 1, 2, 9]);
    expect(asked).toEqual({ configs: 1, cpupools: 1 });
    for (let tries = 0; tries < 20; tries += 1) {
      expect(xl.isAwaited(9)).toBe(tries < 10);
      await xl.domains.run();
    }
    expect(asked).toEqual({ configs: 10, cpupools: 10 });
  });
});

test('what failed is read again at once when xl answers again, and once only while it fails on', async () => {
  const host = hostOf('credit-storm');
  const broken = new Set<string>();
  const run = async (command: Command) => {
    if (broken.has(command.name)) throw new Error(`${command.name} is broken`);
    return host.commands.run(command);
  };
  const toolstack = toolstackOf({ ...host, commands: { ...host.commands, run } });
  const { xl } = toolstack;
  if (xl instanceof Unavailable) throw new Error(xl.reason);
  const own = toolstack.reading('xl vcpu-list', toolstack.scheduled, (doubt) =>
    xl.read(['vcpu-list'], (text) => text, doubt),
  );
  const asked = { configs: 0, info: 0, own: 0 };
  xl.configs.onStart(() => (asked.configs += 1));
  xl.info.onStart(() => (asked.info += 1));
  own.onStart(() => (asked.own += 1));
  await Promise.all([xl.domains, xl.configs, xl.info, own].map((reading) => reading.run()));
  ['xl list -v', 'xl list -l', 'xl vcpu-list'].forEach((name) => broken.add(name));
  for (const reading of [xl.domains, xl.configs, own]) await expect(reading.run()).rejects.toThrow('is broken');
  expect(asked).toEqual({ configs: 0, info: 0, own: 0 });
  broken.delete('xl list -v');
  await xl.domains.run();
  expect(asked).toEqual({ configs: 1, info: 0, own: 1 });
  await expect(xl.configs.run()).rejects.toThrow('is broken');
  await xl.domains.run();
  expect(asked).toEqual({ configs: 1, info: 0, own: 1 });
  broken.add('xl list -v');
  await expect(xl.domains.run()).rejects.toThrow('is broken');
  broken.clear();
  await xl.domains.run();
  expect(asked).toEqual({ configs: 2, info: 0, own: 2 });
  await Promise.all([xl.configs.run(), own.run()]);
  await xl.domains.run();
  expect(asked).toEqual({ configs: 2, info: 0, own: 2 });
});

test('schedulers: xl is asked only for those that a cpupool has', async () => {
  const host = hostOf('credit-storm');
  const commands: string[] = [];
  const run = (command: Command) => {
    commands.push(command.name);
    return host.commands.run(command);
  };
  const { xl } = new Toolstack(
    { ...host, commands: { ...host.commands, run } },
    { intervalSeconds: 5, schedule: '*/5 * * * *', timeoutSeconds: 10 },
  );
  if (xl instanceof Unavailable) throw new Error(xl.reason);
  await xl.cpupools.run();
  expect(commands).toEqual(['xl cpupool-list', 'xl sched-credit']);
});

/** An xl that prints captured output as changed by `print`. */
const changedXl = (print: (name: string, output: CommandOutput) => CommandOutput) => {
  const host = hostOf('credit-storm');
  const run = async (command: Command) => print(command.name, await host.commands.run(command));
  const { xl } = toolstackOf({ ...host, commands: { ...host.commands, run } });
  if (xl instanceof Unavailable) throw new Error(xl.reason);
  return xl;
};

describe('a list that lacks a domain is a failure, and the last good one stays', () => {
  const start = async () => {
    let lacking: { readonly name: string; readonly row: RegExp } | undefined;
    const xl = changedXl((name, { stdout, complaint }) => ({
      stdout: lacking?.name === name ? stdout.replace(lacking.row, '') : stdout,
      complaint,
    }));
    await xl.domains.run();
    return { xl, cut: (name: string, row: RegExp) => (lacking = { name, row }) };
  };

  test('xl sched-credit, also at the first reading', async () => {
    const { xl, cut } = await start();
    cut('xl sched-credit', /^domu2 .*\n/m);
    await expect(xl.cpupools.run()).rejects.toThrow('expected all domains of xl list, found nothing of domid 2');
    const other = await start();
    await other.xl.cpupools.run();
    other.cut('xl sched-credit', /^domu2 .*\n/m);
    await expect(other.xl.cpupools.run()).rejects.toThrow('domid 2');
    expect(other.xl.cpupools.fresh![0]!.parameters!.domains.map(({ name }) => name)).toContain('domu2');
  });

  test('xl list -l, of a domain that had a configuration', async () => {
    const { xl, cut } = await start();
    await xl.configs.run();
    cut('xl list -l', /[^]*/);
    await expect(xl.configs.run()).rejects.toThrow('expected JSON');
    cut('xl list -l', /(?<=^\[)[^]*(?=\]$)/m);
    await expect(xl.configs.run()).rejects.toThrow(/xl list -l: expected all domains of xl list/);
    expect(xl.configs.fresh!.length).toBeGreaterThan(1);
  });

  test('xl list -v, of which a row is none: the others are served if there was no good list', async () => {
    const xl = changedXl((name, { stdout, complaint }) => ({
      stdout: name === 'xl list -v' ? stdout.replace(/^(pvh1 .*) -+ /m, '$1 ???? ') : stdout,
      complaint,
    }));
    await expect(xl.domains.run()).rejects.toThrow(/xl list -v: expected a row, .*, found "pvh1 /);
    expect(xl.domains.fresh!.map(({ name }) => name)).toEqual(['Domain-0', 'domu1', 'domu2']);
  });

  test('not of a domain that has ended since: xl is asked for the list of this moment', async () => {
    let hasEnded = false;
    const xl = changedXl((_name, { stdout, complaint }) => ({
      stdout: hasEnded ? stdout.replace(/^domu2 .*\n/gm, '') : stdout,
      complaint,
    }));
    await xl.domains.run();
    hasEnded = true;
    await xl.cpupools.run();
    expect(xl.cpupools.fresh![0]!.parameters!.domains.map(({ name }) => name)).not.toContain('domu2');
  });
});

describe('cpupools that xl leaves out', () => {
  const heading = 'Name               CPUs   Sched     Active   Domain count\n';
  const credit = readText('hosts/credit-storm/commands/xl sched-credit');
  const poolsOf = (list: string, sched: string) => {
    const changed: Readonly<Record<string, string>> = {
      'xl cpupool-list': `${heading}${list}`,
      'xl sched-credit': sched,
    };
    return changedXl((name, { stdout, complaint }) => ({ stdout: changed[name] ?? stdout, complaint }));
  };
  const two =
    'Pool-0               3    credit       y          4\npool1                1    credit       y          0\n';
  const withNull =
    'Pool-0               3    credit       y          4\npool1                1      null       y          1\n';

  test('one of a scheduler that has a subcommand', async () => {
    const xl = poolsOf(two, credit);
    await expect(xl.cpupools.run()).rejects.toThrow('xl sched-credit: expected cpupool pool1, found nothing of it');
  });

  test('domains beside a cpupool whose scheduler has none, by their number', async () => {
    await poolsOf(withNull, credit).cpupools.run();
    const xl = poolsOf(withNull, credit.replace(/^domu2 .*\n/m, ''));
    await expect(xl.cpupools.run()).rejects.toThrow('xl sched-*: expected 4 domains, found 3');
  });
});

describe('complaints of xl with exit status 0', () => {
  const complaining = (complaint: string) => changedXl((_name, { stdout }) => ({ stdout, complaint }));
  const ofXlConf =
    'the global config option vifscript is deprecated, please switch to vif.default.script\nFailed to read config file: /etc/xen/xl.conf: No such file or directory';
  const ofConfigs =
    'libxl: error: libxl_domain.c:1937:retrieve_domain_configuration_lock_acquired: Domain 11:Fail to get domain configuration';

  test('of its own configuration do not make an answer partial', async () => {
    const xl = complaining(ofXlConf);
    await Promise.all([xl.domains, xl.configs, xl.cpupools, xl.info].map((reading) => reading.run()));
  });

  test.each([
    ofConfigs,
    `libxl: error: libxl.c:6743:libxl_retrieve_domain_configuration: fail to get domain configuration for domain 3`,
  ])('of domains without a configuration, as of other toolstacks, are not about the rest: %s', async (complaint) => {
    await complaining(`${ofXlConf}\n${complaint}`).configs.run();
    await expect(complaining(complaint).cpupools.run()).rejects.toThrow('get domain configuration');
  });

  test('that are about the answer count, also behind others', async () => {
    const complaint = `${ofXlConf}\nlibxl_domain_sched_params_get failed.`;
    await expect(complaining(complaint).cpupools.run()).rejects.toThrow(
      'exit status 0, but a complaint: libxl_domain_sched_params_get failed.',
    );
  });
});
