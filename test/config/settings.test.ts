import { describe, expect, test } from 'vitest';
import { parseCommandLine } from '../../src/config/command-line.ts';
import { parseConfigFile } from '../../src/config/config-file.ts';
import { flagsOf, helperFlags } from '../../src/config/flags.ts';
import { resolveSettings } from '../../src/config/settings.ts';
import { UsageError } from '../../src/config/usage-error.ts';
import { usage } from '../../src/config/usage.ts';
import { registry } from '../../src/collectors/registry.ts';
import { fakeCollector } from '../support/fake-collector.ts';

const definitions = [...registry, { ...fakeCollector('extra'), enabledByDefault: false }];

const resolve = (args: readonly string[], yaml?: string) =>
  resolveSettings(
    definitions,
    parseCommandLine(args, flagsOf(definitions)),
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

test('defaults', () => {
  expect(resolve([]).global).toEqual({
    host: 'local',
    'helper.socket': '/run/xen-exporter/helper.sock',
    'web.listen-address': [':10911'],
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
    'collector.listeners.namespaces': 'self',
    'collector.listeners.namespaces-interval': 5,
    'collector.listeners.max-namespaces': 100,
    'path.procfs': '/proc',
    'path.sysfs': '/sys',
    'path.debugfs': undefined,
    'path.xl': undefined,
    'path.xen-diag': undefined,
    'path.ovs-appctl': undefined,
    'path.rrd-metrics': undefined,
    'path.ss': undefined,
    'toolstack.interval': 5,
    'toolstack.schedule': '*/5 * * * *',
    'toolstack.timeout': 10,
    'log.level': 'info',
    'log.format': 'logfmt',
  });
  expect(listeners([])).toMatchObject({
    maxSeries: 12_000,
    options: { source: 'auto', 'sampler-hertz': 20, 'sampler-cpu-budget': 0.005, include: undefined },
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
      '--collector.listeners.source=netlink',
      '--collector.tcp',
      '--no-collector.extra',
    ];
    expect(resolve(args, yaml).global).toMatchObject({ 'web.listen-address': [':1', ':2'], 'web.max-requests': 8 });
    expect(listeners(args, yaml).options['source']).toBe('netlink');
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
    ['--nope', "Unknown option '--nope'"],
    ['--web.max-requests=many', '--web.max-requests: expected a whole number from 1 to 10000, found "many"'],
    ['--web.max-requests=', '--web.max-requests: expected a whole number from 1 to 10000, found ""'],
    ['--web.max-requests=2.5', '--web.max-requests: expected a whole number from 1 to 10000, found "2.5"'],
    [
      '--web.listen-address=80',
      '--web.listen-address: expected a list of at least one: HOST:PORT, [IPV6]:PORT, :PORT or unix:PATH, found ["80"]',
    ],
    [
      '--web.telemetry-path=metrics',
      '--web.telemetry-path: expected a path that begins with / and has no ?, # or space, found "metrics"',
    ],
    ['--log.level=loud', '--log.level: expected one of debug, info, warn, error, found "loud"'],
    [
      '--collector.listeners.source=ss',
      '--collector.listeners.source: expected one of auto, netlink, proc, found "ss"',
    ],
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
    ['an unknown key at the top', '# why\n\nwep: {}\n', 'xen.yml:3: wep: unknown key'],
    ['an unknown collector', 'collector:\n  nope: {enabled: true}\n', 'xen.yml:2: collector.nope: unknown key'],
    [
      'a scalar in place of a mapping',
      'collector:\n  tcp: true\n',
      'xen.yml:2: collector.tcp: expected a mapping, found true',
    ],
    ['a list in place of the file', '- a\n- b\n', 'xen.yml:1: the file: expected a mapping, found ["a","b"]'],
    [
      'a scalar in place of a list',
      'web:\n  listen-address: ":1"\n',
      'xen.yml:2: web.listen-address: expected a list of at least one: HOST:PORT, [IPV6]:PORT, :PORT or unix:PATH, found ":1"',
    ],
    ['a duplicate key', 'log:\n  level: info\nweb: {}\nlog:\n  level: warn\n', 'xen.yml:4: duplicated mapping key'],
    ['no YAML', 'web: {\n', 'xen.yml:2: deficient indentation'],
    ['an alias', 'web: &a {}\nlog: *a\n', 'xen.yml:2: aliases exceeded maxAliases (0)'],
    ['two documents', 'web: {}\n---\nlog: {}\n', 'xen.yml: expected one YAML document, found 2'],
    ['null', 'web:\n', 'xen.yml:1: web: expected a mapping, found null'],
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

test('every flag is a key of the file: each takes its own default back', () => {
  for (const { name, path, option } of flagsOf(definitions)) {
    if (option.default === undefined) continue;
    const nested = path.reduceRight<unknown>((value, key) => ({ [key]: value }), option.default);
    expect(() => resolve([], JSON.stringify(nested)), name).not.toThrow();
  }
});

test('--help names every flag with its default', () => {
  const flags = flagsOf(definitions);
  const text = usage(flags);
  for (const { name } of flags) expect(text).toMatch(new RegExp(`--(\\[no-\\])?${name}\\b`));
  expect(text).toContain(
    '  --web.header-timeout=SECONDS\n      Seconds that a client has for its TLS handshake and the headers of its request. (default: 10)\n',
  );
});

test('the helper takes the flags that say where to read, and the exporter’s config file with all that is in it', () => {
  const names = helperFlags().map(({ name }) => name);
  expect(names).toContain('path.xl');
  expect(names).toContain('helper.socket');
  expect(names.filter((name) => /^(web|collector|scrape)\./.test(name))).toEqual([]);
  expect(() => parseCommandLine(['--web.listen-address=:1'], helperFlags())).toThrow('--web.listen-address');
  const file = parseConfigFile('x.yml', 'web:\n  telemetry-path: /m\nhelper:\n  socket: /run/x.sock\nhost: helper\n');
  const { global } = resolveSettings(registry, parseCommandLine([], helperFlags()), file);
  expect(global['helper.socket']).toBe('/run/x.sock');
});
