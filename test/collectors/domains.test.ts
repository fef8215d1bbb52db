import { describe, expect, test } from 'vitest';
import { domains } from '../../src/collectors/domains.ts';
import type { Collector } from '../../src/collectors/collector.ts';
import type { Command, Commands } from '../../src/host/commands.ts';
import { readText } from '../../tools/lib/fixture.ts';
import { collect, createCollector, resetsOf, runBackground } from '../../tools/lib/collect.ts';
import { hostOf } from '../../tools/lib/hosts.ts';

/** A host with xl's output about an HVM guest at a moment of its life. `change` alters a command's output. */
const hostAt = (moment: string, change: (name: string, stdout: string) => string = (_name, stdout) => stdout) => {
  const host = hostOf('credit-hvm-idle');
  const run: Commands['run'] = async (command: Command) => {
    const captured: Record<string, string> = {
      'xl list -v': `xl/credit-hvm-${moment}.xl-list-v`,
      'xl vcpu-list': `xl/credit-hvm-${moment}.xl-vcpu-list`,
    };
    const file = captured[command.name];
    const output = file === undefined ? await host.commands.run(command) : { stdout: readText(file), complaint: '' };
    // hvm1 of the idle host has domid 3, but 4 at these moments.
    const stdout = command.name === 'xl sched-credit' ? output.stdout.replace(/^(hvm1 +)3 /m, '$14 ') : output.stdout;
    return { ...output, stdout: change(command.name, stdout) };
  };
  return { ...host, commands: { ...host.commands, run } };
};

const observed = async (collector: Collector, host: ReturnType<typeof hostAt>) => {
  const page = await collect(collector, host);
  return page
    .samples('xen_domain_vcpu_observations_total')
    .filter(({ value }) => value > 0)
    .map(({ labels, value }) => `${labels['domain']} ${labels['state']} ${value}`);
};

const start = async (host: ReturnType<typeof hostAt>): Promise<Collector> => {
  const collector = createCollector(domains, host);
  expect(await runBackground([collector])).toEqual([]);
  return collector;
};

describe('which vCPUs are counted as waiting', () => {
  test('not those of a guest that is paused: its vCPU prints --- too', async () => {
    // hvm1 of this capture has domid 4, which the idle host's `xl list -l` lacks. Treat it as PV.
    const asPv = (name: string, stdout: string) =>
      name === 'xl list -l' ? stdout.replace('"domid": 3', '"domid": 4').replace('"hvm"', '"pv"') : stdout;
    const host = hostAt('paused', asPv);
    expect(await observed(await start(host), host)).toEqual([
      'Domain-0 running 1',
      'Domain-0 blocked 1',
      'domu1 blocked 2',
    ]);
    const running = hostAt('renamed', asPv);
    expect(await observed(await start(running), running)).toContain('web server (old) blocked 1');
  });

  test('not those of a domain that is being created', async () => {
    const host = hostAt('creating');
    expect((await observed(await start(host), host)).filter((line) => line.startsWith('hvm1'))).toEqual([]);
  });

  test('not those of an HVM guest, whatever they do', async () => {
    const asHvm = (name: string, stdout: string) =>
      name === 'xl list -l' ? stdout.replace('"domid": 3', '"domid": 4') : stdout;
    const host = hostAt('renamed', asHvm);
    expect((await observed(await start(host), host)).some((line) => line.startsWith('web'))).toBe(false);
  });

  test('not those of a domain whose type is not known yet', async () => {
    const host = hostAt('renamed');
    const collector = await start(host);
    expect((await observed(collector, host)).some((line) => line.startsWith('web'))).toBe(false);
    const page = await collect(collector, host);
    const info = page.samples('xen_domain_info').find(({ labels }) => labels['domid'] === '4');
    expect(info?.labels).toMatchObject({ domain: 'web server (old)', type: '', pool: 'Pool-0' });
  });

  test('each look adds up, whatever the scrape interval', async () => {
    const host = hostOf('credit-storm');
    const collector = createCollector(domains, host);
    for (let looks = 0; looks < 3; looks += 1) await runBackground([collector]);
    const page = await collect(collector, host);
    const seen = (state: string) => page.value('xen_domain_vcpu_observations_total', { domain: 'domu1', state });
    expect([seen('running'), seen('blocked'), seen('runnable')]).toEqual([3, 0, 3]);
  });
});

test('a guest that reboots has another domid, and its counters go on', async () => {
  const host = hostOf('credit-storm');
  let hasRebooted = false;
  const reboot = (line: string): string =>
    line
      .replace(/^(domu1 +)1 /, (_, start: string) => `${start}9 `)
      .replace(' 318.1 ', '   5.3 ')
      .replace(' 163.9 ', '   2.2 ');
  const run: Commands['run'] = async (command) => {
    const output = await host.commands.run(command);
    return hasRebooted ? { ...output, stdout: output.stdout.split('\n').map(reboot).join('\n') } : output;
  };
  const changing = { ...host, commands: { ...host.commands, run } };
  const collector = createCollector(domains, changing);
  const read = async () => {
    await runBackground([collector]);
    const page = await collect(collector, changing);
    return [
      page.value('xen_domain_info', { domain: 'domu1', domid: hasRebooted ? '9' : '1' }),
      page.value('xen_domain_cpu_seconds_total', { domain: 'domu1' }),
      page.value('xen_domain_vcpu_cpu_seconds_total', { domain: 'domu1', vcpu: '0' }),
    ];
  };
  expect(await read()).toEqual([1, 318.1, 163.9]);
  hasRebooted = true;
  expect(await read()).toEqual([1, 323.4, 166.1]);
});

describe('names and identities', () => {
  const named = async (name: string) => {
    const host = hostOf('credit-storm');
    const rename = (line: string): string => (line.startsWith('domu1 ') ? `${name.padEnd(40)}${line.slice(40)}` : line);
    const renameVcpus = (line: string): string =>
      line.startsWith('domu1 ') ? `${name.padEnd(32)}${line.slice(32)}` : line;
    const run: Commands['run'] = async (command) => {
      const output = await host.commands.run(command);
      const change = { 'xl list -v': rename, 'xl vcpu-list': renameVcpus }[command.name];
      return change ? { ...output, stdout: output.stdout.split('\n').map(change).join('\n') } : output;
    };
    const changed = { ...host, commands: { ...host.commands, run } };
    const collector = createCollector(domains, changed);
    await runBackground([collector]);
    return collect(collector, changed);
  };

  test.each([
    'web server (old)',
    'a "quoted" {name}',
    'größer als zwölf',
    'sixty characters and more than that, so that the column is too narrow',
    '7 512 2 r----- 1.0',
  ])('%s', async (name) => {
    const page = await named(name);
    expect(page.value('xen_domain_cpu_seconds_total', { domain: name })).toBe(318.1);
    expect(page.value('xen_domain_vcpu_cpu_seconds_total', { domain: name, vcpu: '0' })).toBe(163.9);
  });

  test('a domain without a name waits for it', async () => {
    const page = await named('(null)');
    expect(page.samples('xen_domain_info').map(({ labels }) => labels['domid'])).toEqual(['0', '2', '3']);
  });

  test('a name with a newline that looks like a row gives no foreign series', async () => {
    const forged = `evil\nvictim                                       9   512     2     r-----     999.0 ffffffff-ffff-ffff-ffff-ffffffffffff        -                -\n`;
    const page = await named(forged);
    expect(page.samples('xen_domain_info').map(({ labels }) => labels['domain'])).not.toContain('victim');
    expect(page.value('xen_domain_cpu_seconds_total', { domain: 'Domain-0' })).toBe(625.3);
  });

  test('the zero uuid, which every Dom0 has, is left out: it would join one host’s Dom0 with another’s', async () => {
    const host = hostOf('credit-storm');
    const collector = createCollector(domains, host);
    await runBackground([collector]);
    const page = await collect(collector, host);
    const uuids = page.samples('xen_domain_info').map(({ labels }) => labels['uuid']);
    expect(uuids[0]).toBe('');
    expect(uuids.slice(1)).not.toContain('');
  });
});

test('states of a guest that was shut down, crashed or is dying; an offline vCPU', async () => {
  const host = hostOf('credit-storm');
  const run: Commands['run'] = async (command) => {
    const output = await host.commands.run(command);
    const stdout = output.stdout
      .replace(/^(domu1 .*) ------ /m, '$1 ---sc- ')
      .replace(/^(domu2 .*) r----- /m, '$1 -----d ')
      .replace(/^(domu1 +1 +1) +3 {3}r-- /m, '$1    -   --p ');
    return { ...output, stdout };
  };
  const changed = { ...host, commands: { ...host.commands, run } };
  const collector = createCollector(domains, changed);
  await runBackground([collector]);
  const page = await collect(collector, changed);
  const states = (domain: string) =>
    page
      .samples('xen_domain_state')
      .filter(({ labels, value }) => labels['domain'] === domain && value === 1)
      .map(({ labels }) => labels['state']);
  expect([states('domu1'), states('domu2')]).toEqual([['shutdown', 'crashed'], ['dying']]);
  expect(page.value('xen_domain_vcpus', { domain: 'domu1', state: 'offline' })).toBe(1);
  expect(page.value('xen_domain_vcpus', { domain: 'domu1', state: 'online' })).toBe(1);
  expect(page.samples('xen_domain_vcpu_observations_total').map(({ labels }) => labels['domain'])).not.toContain(
    'domu2',
  );
});

test('readings that are three periods old are not served', async () => {
  const host = hostOf('credit-storm');
  const collector = createCollector(domains, host);
  await runBackground([collector]);
  host.clock.advance(16);
  expect((await collect(collector, host)).samples('xen_domain_info')).toEqual([]);
});

test("a step back of xl's CPU time is noise: the total stands still, and grows on from where it was", async () => {
  let time = '2772491.0';
  const host = hostOf('credit-storm');
  const run: Commands['run'] = async (command: Command) => {
    const output = await host.commands.run(command);
    const stdout = output.stdout.replace(/[\d.]+(?= 6c9ee902)/, time);
    return command.name === 'xl list -v' ? { ...output, stdout } : output;
  };
  const changed = { ...host, commands: { ...host.commands, run } };
  const collector = await start(changed);
  const seconds = async (text: string): Promise<number | undefined> => {
    time = text;
    host.clock.advance(5);
    await runBackground([collector]);
    return (await collect(collector, changed)).value('xen_domain_cpu_seconds_total', { domain: 'domu1' });
  };
  expect(await seconds('2772491.0')).toBe(2_772_491);
  expect(await seconds('2772490.9')).toBe(2_772_491);
  expect(await seconds('2772491.9')).toBe(2_772_491.9);
  // Two vCPUs cannot use an hour in five seconds.
  expect(await seconds('2776091.9')).toBe(2_772_491.9);
  expect(resetsOf(collector)).toBe(1);
});
