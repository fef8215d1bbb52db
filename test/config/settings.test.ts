import { describe, expect, test } from 'vitest';
import { parseCommandLine } from '../../src/config/command-line.ts';
import { parseConfigFile } from '../../src/config/config-file.ts';
import { allSettings, flagsOf } from '../../src/config/settings.ts';
import { resolveSettings } from '../../src/config/resolve-settings.ts';
import { commands } from '../../src/commands/registry.ts';
import { helper } from '../../src/commands/helper.ts';
import { UsageError } from '../../src/config/usage-error.ts';
import { usage } from '../../src/config/usage.ts';
import { registry } from '../../src/collectors/registry.ts';
import { fakeCollector } from '../support/fake-collector.ts';

const definitions = [...registry, { ...fakeCollector('extra'), enabledByDefault: false }];

const resolve = (args: readonly string[], yaml?: string) =>
  resolveSettings(
    definitions,
    parseCommandLine(args, allSettings(definitions)),
    yaml === undefined ? undefined : parseConfigFile('xen.yml', yaml),
  );

const messageOf = (call: () => unknown): string => {
  try {
    call();
  } catch (error) {
    if (error instanceof UsageError) return error.message;
    throw error;
  }
  throw new Error('expected a UsageError');
};

const enabled = (args: readonly string[], yaml?: string): string[] =>
  resolve(args, yaml)
    .collectors.filter(({ isEnabled }) => isEnabled)
    .map(({ definition }) => definition.name);

const listeners = (args: readonly string[], yaml?: string) =>
  resolve(args, yaml).collectors.find(({ definition }) => definition.name === 'listeners')!;

test.each(['/', '/metrics', '/-', '/a/-/healthy'])('the metrics may be at %s', (path) => {
  expect(resolve([`--web.telemetry-path=${path}`]).global['web.telemetry-path']).toBe(path);
});

test('defaults', () => {
  expect(resolve([]).global).toEqual({
    'privileged-reads': 'local',
    'helper.socket': '/run/xen-exporter/helper.sock',
    'web.listen-address': [':28697'],
    'web.systemd-socket': false,
    'web.telemetry-path': '/metrics',
    'web.max-requests': 40,
    'web.max-connections': 512,
    'web.max-connections-per-client': 256,
    'web.header-timeout': 10,
    'web.idle-timeout': 150,
    'web.response-timeout': 15,
    'web.config.file': undefined,
    'web.enable-lifecycle': false,
    'scrape.timeout-offset': 0.25,
    'collector.disable-defaults': false,
    'collector.max-series': undefined,
    'collector.queues': 'vif',
    'collector.listeners.namespaces': 'self',
    'collector.listeners.namespaces-interval': 5,
    'collector.listeners.max-namespaces': 100,
    'path.procfs': '/proc',
    'path.sysfs': '/sys',
    'path.debugfs': undefined,
    'path.tracefs': undefined,
    'path.rrd-metrics': undefined,
    'path.tools': [],
    'toolstack.interval': 5,
    'toolstack.schedule': '*/5 * * * *',
    'toolstack.timeout': 10,
    'xentrace.window': 3,
    'xentrace.interval': 60,
    'xentrace.max-bytes': 8 << 20,
    'xentrace.cpu-budget': 0.02,
    'log.level': 'info',
    'log.format': 'logfmt',
  });
  expect(listeners([])).toMatchObject({
    maxSeries: 12_000,
    options: { source: 'auto', 'sampler-hertz': 20, 'sampler-cpu-budget': 0.01, include: undefined },
  });
});

describe('a flag beats the file, the file the default', () => {
  const yaml = `
web:
  listen-address: ["127.0.0.1:1", "[::1]:2"]
  max-requests: 7
log:
  level: debug
collector:
  listeners:
    source: proc
    max-series: 50
    include: '.*:80'
  tcp: {enabled: false}
  extra: {enabled: true}
`;

  test('the file alone', () => {
    expect(resolve([], yaml).global).toMatchObject({
      'web.listen-address': ['127.0.0.1:1', '[::1]:2'],
      'web.max-requests': 7,
      'log.level': 'debug',
    });
    expect(listeners([], yaml)).toMatchObject({ maxSeries: 50, options: { source: 'proc', include: /^(?:.*:80)$/ } });
    const on = registry.filter(({ enabledByDefault }) => enabledByDefault);
    const others = on.map(({ name }) => name).filter((name) => name !== 'tcp');
    expect(enabled([], yaml)).toEqual([...others, 'extra']);
  });

  test('and flags', () => {
    const args = [
      '--web.listen-address=:1',
      '--web.listen-address=:2',
      '--web.max-requests',
      '8',
      '--collector.listeners.sampler-hertz=5',
      '--collector.tcp',
      '--no-collector.extra',
    ];
    expect(resolve(args, yaml).global).toMatchObject({ 'web.listen-address': [':1', ':2'], 'web.max-requests': 8 });
    expect(listeners(args, yaml).options['sampler-hertz']).toBe(5);
    expect(enabled(args, yaml)).toContain('tcp');
    expect(enabled(args, yaml)).not.toContain('extra');
  });

  test('defaults switched off leave what is switched on by name', () => {
    expect(enabled(['--collector.disable-defaults', '--collector.cpu'])).toEqual(['cpu']);
    expect(enabled(['--collector.cpu'], 'collector: {disable-defaults: true}')).toEqual(['cpu']);
    expect(enabled(['--no-collector.disable-defaults'], 'collector: {disable-defaults: true}')).toContain('cpu');
  });
});

describe('a flag that cannot be used is named', () => {
  test.each([
    ['--nope', "Unknown option '--nope', --help lists the flags"],
    ['--no-nope', "Unknown option '--no-nope', --help lists the flags"],
    ['-x', "Unknown option '-x', --help lists the flags"],
    ['--no-web.listen-address', '--no-web.listen-address: this flag takes a value, --web.listen-address=ADDRESS'],
    ['--no-log.level', '--no-log.level: this flag takes a value, --log.level=debug|info|warn|error'],
    ['--no-config.file', '--no-config.file: this flag takes a value, --config.file=PATH'],
    ['--web.max-requests=many', '--web.max-requests: expected a whole number from 1 to 10000, found "many"'],
    ['--web.max-requests=', '--web.max-requests: expected a whole number from 1 to 10000, found ""'],
    ['--web.max-requests=2.5', '--web.max-requests: expected a whole number from 1 to 10000, found "2.5"'],
    [
      '--web.listen-address=80',
      '--web.listen-address: expected a list of at least one: HOST:PORT, [IPV6]:PORT, :PORT (all addresses) or unix:PATH, found ["80"]',
    ],
    ...['metrics', '/-/healthy', '/-/metrics', '/a b'].map((path): [string, string] => [
      `--web.telemetry-path=${path}`,
      `--web.telemetry-path: expected a path that begins with /, not with /-/ (health and reload), and has no ?, # or space, found "${path}"`,
    ]),
    ['--log.level=loud', '--log.level: expected one of debug, info, warn, error, found "loud"'],
    ['--collector.queues=all', '--collector.queues: expected one of vif, each, found "all"'],
    [
      '--collector.listeners.source=proc',
      '--collector.listeners.source: not a flag, set collector.listeners.source in the config file (--config.file)',
    ],
    ['--no-path.debugfs', '--path.debugfs: not a flag, set path.debugfs in the config file (--config.file)'],
    ['--path.tools=bin', '--path.tools: expected a list, each item: a path that begins with /, found ["bin"]'],
    ['--collector.listeners.include=(', '--collector.listeners.include: expected a regular expression, found "("'],
    ['--web.config.file=', '--web.config.file: expected a path, found ""'],
    ['--path.procfs=proc', '--path.procfs: expected a path that begins with /, found "proc"'],
    ['positional', "Unexpected argument 'positional'. This command does not take positional arguments"],
  ])('%s', (flag, message) => expect(messageOf(() => resolve([flag]))).toBe(message));

  test('a flag without its value', () => {
    expect(messageOf(() => resolve(['--log.level']))).toBe("Option '--log.level <value>' argument missing");
  });
});

describe('a config file that cannot be used is named with the line', () => {
  test.each([
    [
      'a wrong type',
      'web:\n  max-requests: many\n',
      'xen.yml:2: web.max-requests: expected a whole number from 1 to 10000, found "many"',
    ],
    ['an unknown key', 'log:\n  level: info\n  colour: red\n', 'xen.yml:3: log.colour: unknown key'],
    ['an unknown key at the top', '# why\n\nwep: {}\n', 'xen.yml:3: wep: unknown key, perhaps web'],
    ['an unknown collector', 'collector:\n  nope: {enabled: true}\n', 'xen.yml:2: collector.nope: unknown key'],
    [
      'a scalar in place of a mapping',
      'collector:\n  tcp: true\n',
      'xen.yml:2: collector.tcp: expected a mapping, found true; write collector: {tcp: {enabled: ...}}',
    ],
    ['a list in place of the file', '- a\n- b\n', 'xen.yml:1: the file: expected a mapping, found ["a","b"]'],
    [
      'a number in place of a list',
      'web:\n  listen-address: 1\n',
      'xen.yml:2: web.listen-address: expected a list of at least one: HOST:PORT, [IPV6]:PORT, :PORT (all addresses) or unix:PATH, found 1',
    ],
    [
      'an address that other programs know',
      'web:\n  listen-address: "*:1"\n',
      'xen.yml:2: web.listen-address: expected a list of at least one: HOST:PORT, [IPV6]:PORT, :PORT (all addresses) or unix:PATH, found "*:1"',
    ],
    ['a duplicate key', 'log:\n  level: info\nweb: {}\nlog:\n  level: warn\n', 'xen.yml:4: duplicated mapping key'],
    ['no YAML', 'web: {\n', 'xen.yml:2: deficient indentation'],
    ['an alias', 'web: &a {}\nlog: *a\n', 'xen.yml:2: expected no alias, found one (*name)'],
    ['two documents', 'web: {}\n---\nlog: {}\n', 'xen.yml: expected one YAML document, found 2'],
    [
      'null',
      'web:\n  listen-address:\n',
      'xen.yml:2: web.listen-address: expected a list of at least one: HOST:PORT, [IPV6]:PORT, :PORT (all addresses) or unix:PATH, found null',
    ],
    [
      'several errors',
      'web:\n  max-requests: 0\nlog:\n  level: loud\n',
      'xen.yml:2: web.max-requests: expected a whole number from 1 to 10000, found 0\nxen.yml:4: log.level: expected one of debug, info, warn, error, found "loud"',
    ],
  ])('%s', (_what, yaml, message) => expect(messageOf(() => resolve([], yaml))).toBe(message));

  test('an empty file is no error', () => {
    expect(resolve([], '').global['log.level']).toBe('info');
    expect(resolve([], '# nothing\n').global['log.level']).toBe('info');
  });
});

describe("a collector's own value, one for all collectors, and the default of the collector", () => {
  const series = (args: readonly string[], yaml?: string): number[] =>
    ['listeners', 'vif'].map(
      (name) => resolve(args, yaml).collectors.find(({ definition }) => definition.name === name)!.maxSeries,
    );
  const queues = (args: readonly string[], yaml?: string): unknown[] =>
    ['netback', 'interrupts'].map(
      (name) => resolve(args, yaml).collectors.find(({ definition }) => definition.name === name)!.options['queues'],
    );
  const own = (name: string, key: string, value: unknown): string =>
    JSON.stringify({ collector: { [name]: { [key]: value } } });

  test('series', () => {
    const defaults = ['listeners', 'vif'].map((name) => registry.find((each) => each.name === name)!.maxSeries);
    expect(series([])).toEqual(defaults);
    expect(series(['--collector.max-series=7'])).toEqual([7, 7]);
    expect(series([], 'collector: {max-series: 7}')).toEqual([7, 7]);
    expect(series(['--collector.max-series=7'], own('vif', 'max-series', 9))).toEqual([7, 9]);
    expect(series([], own('vif', 'max-series', 9))).toEqual([defaults[0], 9]);
  });

  test('queues', () => {
    expect(queues([])).toEqual(['vif', 'vif']);
    expect(queues(['--collector.queues=each'])).toEqual(['each', 'each']);
    expect(queues(['--collector.queues=each'], own('netback', 'queues', 'vif'))).toEqual(['vif', 'each']);
  });
});

test('every setting is a key of the file: each takes its own default back', () => {
  for (const { name, path, option } of allSettings(definitions)) {
    if (option.default === undefined) continue;
    const nested = path.reduceRight<unknown>((value, key) => ({ [key]: value }), option.default);
    expect(() => resolve([], JSON.stringify(nested)), name).not.toThrow();
  }
});

const loadedCommands = await Promise.all(commands.map((entry) => entry.load()));

test('each command is the one that its entry names', () => {
  expect(loadedCommands.map(({ name }) => name)).toEqual(commands.map(({ name }) => name));
});

test.each(loadedCommands)('$name --help names every flag with its default, and no key of the file', (command) => {
  const text = usage(command, commands);
  const flags = flagsOf(command.settings);
  for (const { name, option } of flags) {
    expect(text).toMatch(new RegExp(`--(\\[no-\\])?${name}\\b`));
    if (option.default !== undefined && String(option.default) !== '')
      expect(text).toContain(`(default: ${String(option.default)})`);
  }
  for (const setting of command.settings) if (!flags.includes(setting)) expect(text).not.toContain(`--${setting.name}`);
  expect(text).toContain(`--help\n      Print this text and exit.\n`);
});

test('usage without a command names all others', () => {
  const text = usage(loadedCommands[0]!, commands);
  for (const { name, summary } of commands.slice(1))
    expect(text).toContain(`  xen-exporter ${name}\n      ${summary}\n`);
});

test('the helper takes the flags that say where and what to read, and the exporter\u2019s config file with all that is in it', () => {
  const names = helper.settings.map(({ name }) => name);
  expect(names).toContain('path.tools');
  expect(names).toContain('helper.socket');
  expect(names.filter((name) => /^(web|collector|scrape)\./.test(name))).toEqual(['collector.runstate']);
  expect(() => parseCommandLine(['--web.listen-address=:1'], helper.settings)).toThrow('--web.listen-address');
  expect(() => parseCommandLine(['--path.tracefs=/t'], helper.settings)).toThrow(
    '--path.tracefs: not a flag, set path.tracefs in the config file (--config.file)',
  );
  const file = parseConfigFile(
    'x.yml',
    'web:\n  telemetry-path: /m\nhelper:\n  socket: /run/x.sock\nprivileged-reads: helper\n',
  );
  const { global } = resolveSettings(registry, parseCommandLine([], helper.settings), file);
  expect(global['helper.socket']).toBe('/run/x.sock');
});

describe('config files as people write them', () => {
  test('a key with nothing below it sets nothing', () => {
    expect(resolve([], 'web:\ncollector:\n  cpu:\n')).toEqual(resolve([], ''));
  });

  test('a list of one may be a text', () => {
    expect(resolve([], 'web:\n  listen-address: "127.0.0.1:0"\n').global['web.listen-address']).toEqual([
      '127.0.0.1:0',
    ]);
  });

  test.each([
    ['yes', true],
    ['On', true],
    ['"true"', true],
    ['no', false],
    ['OFF', false],
  ])('a switch may be %s, as in YAML 1.1', (text, value) => {
    expect(resolve([], `web:\n  enable-lifecycle: ${text}\n`).global['web.enable-lifecycle']).toBe(value);
  });

  test('a number may be in quotes', () => {
    expect(resolve([], 'toolstack:\n  interval: "7"\n').global['toolstack.interval']).toBe(7);
    expect(() => resolve([], 'toolstack:\n  interval: "7s"\n')).toThrow(
      'toolstack.interval: expected a number from 1 to 3600, found "7s"',
    );
  });

  test.each([
    ['web:\n  listen_address: ":1"\n', 'web.listen_address: unknown key, perhaps listen-address'],
    ['web:\n  listenAddress: ":1"\n', 'web.listenAddress: unknown key, perhaps listen-address'],
    ['colector: {}\n', 'colector: unknown key, perhaps collector'],
    ['collector:\n  listener: {}\n', 'collector.listener: unknown key, perhaps listeners'],
    ['collector:\n  cpu: {enable: false}\n', 'collector.cpu.enable: unknown key, perhaps enabled'],
  ])('a key that is nearly right: %j', (source, message) => {
    expect(() => resolve([], source)).toThrow(message);
  });

  test('a collector that is switched by its name alone: the error shows the form', () => {
    expect(() => resolve([], 'collector:\n  cpu: false\n')).toThrow(
      'collector.cpu: expected a mapping, found false; write collector: {cpu: {enabled: ...}}',
    );
  });

  test.each([
    ['a byte order mark', '\ufeffweb:\n  telemetry-path: /m\n'],
    ['carriage returns', 'web:\r\n  telemetry-path: /m\r\n'],
    ['a document start', '---\nweb:\n  telemetry-path: /m\n...\n'],
  ])('%s', (_what, source) => {
    expect(resolve([], source).global['web.telemetry-path']).toBe('/m');
  });

  test('a tab is an error with its line', () => {
    expect(() => resolve([], 'web:\n\ttelemetry-path: /m\n')).toThrow(/:2: .*tab/);
  });

  test.each([
    ['collector.listeners.sampler-hertz: 50\n', 'collector: {listeners: {sampler-hertz: ...}}'],
    ['collector.cpu: false\n', 'collector: {cpu: {enabled: ...}}'],
    ['collector:\n  listeners.sampler-hertz: 50\n', 'collector: {listeners: {sampler-hertz: ...}}'],
  ])('a key with the dots of a flag: the error shows the levels', (source, form) => {
    expect(() => resolve([], source)).toThrow(`unknown key; each dot is a level in this file: ${form}`);
  });
});
