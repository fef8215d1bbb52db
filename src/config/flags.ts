import type { CollectorDefinition } from '../collectors/collector.ts';
import {
  choiceOption,
  cronOption,
  numberOption,
  pathOption,
  switchOption,
  textListOption,
  textOption,
  type Option,
  type OptionValues,
} from './option.ts';
import { livePaths } from '../host/local-host.ts';
import { logFormats, logLevels } from '../host/log.ts';
import { parseListenAddress } from './listen-address.ts';

/** The settings that are no collector's. */
export const globalOptions = {
  'web.listen-address': textListOption({
    help: 'Address to listen on, HOST:PORT (all addresses where HOST is empty) or unix:PATH, a socket for its user and group. Repeatable.',
    default: [':10911'],
    metavar: 'ADDRESS',
    expected: 'HOST:PORT, [IPV6]:PORT, :PORT or unix:PATH',
    holds: (text) => parseListenAddress(text) !== undefined,
  }),
  'web.telemetry-path': textOption({
    help: 'Path of the metrics.',
    default: '/metrics',
    metavar: 'PATH',
    expected: 'a path that begins with / and has no ?, # or space',
    holds: (text) => /^\/[^?#\s]*$/.test(text),
  }),
  'web.max-requests': numberOption({
    help: 'Scrapes that may be under way at once; others get a 503. Who asks for the same page shares one, and the page of all collectors always has a place.',
    default: 40,
    metavar: 'NUMBER',
    min: 1,
    max: 10_000,
    whole: true,
  }),
  'web.max-connections': numberOption({
    help: 'Connections at once; a new one then takes the place of the one that has waited longest.',
    default: 512,
    metavar: 'NUMBER',
    min: 1,
    max: 100_000,
    whole: true,
  }),
  'web.max-connections-per-client': numberOption({
    help: 'Connections at once of one IPv4 address or IPv6 /64 network; a new one then takes the place of its own that has waited longest.',
    default: 256,
    metavar: 'NUMBER',
    min: 1,
    max: 100_000,
    whole: true,
  }),
  'web.header-timeout': numberOption({
    help: 'Seconds that a client has for its TLS handshake and the headers of its request.',
    default: 10,
    metavar: 'SECONDS',
    min: 0.1,
    max: 3600,
  }),
  'web.idle-timeout': numberOption({
    help: 'Seconds after which a connection without a request is closed.',
    default: 150,
    metavar: 'SECONDS',
    min: 0.1,
    max: 86_400,
  }),
  'web.response-timeout': numberOption({
    help: 'Seconds that a client has to read a response that is ready.',
    default: 15,
    metavar: 'SECONDS',
    min: 0.1,
    max: 3600,
  }),
  'web.config.file': pathOption({
    help: "exporter-toolkit's web config file: TLS, client certificates, users, response headers, rate limit; see docs/security.md.",
    default: undefined,
    mayBeRelative: true,
  }),
  'web.enable-lifecycle': switchOption({
    help: 'Let POST or PUT of /-/reload read the web config file again.',
    default: false,
  }),
  'scrape.timeout-offset': numberOption({
    help: 'Seconds to keep back of the time that Prometheus says it will wait.',
    default: 0.25,
    metavar: 'SECONDS',
    min: 0,
    max: 60,
  }),
  'collector.disable-defaults': switchOption({
    help: 'Switch every collector off that no --collector.NAME switches on.',
    default: false,
  }),
  'collector.listeners.namespaces': choiceOption({
    help: 'Network namespaces whose listeners and TCP counters are read: that of the exporter, or all in which there is a process, as containers have their own. all needs CAP_SYS_ADMIN and CAP_SYS_PTRACE; see docs/namespaces.md.',
    default: 'self',
    choices: ['self', 'all'],
  }),
  'collector.listeners.namespaces-interval': numberOption({
    help: 'Seconds between two looks at which network namespaces there are, in the background.',
    default: 5,
    metavar: 'SECONDS',
    min: 1,
    max: 3600,
  }),
  'collector.listeners.max-namespaces': numberOption({
    help: 'Other network namespaces to read at most; of more, those with the fewest sockets.',
    default: 100,
    metavar: 'NUMBER',
    min: 0,
    max: 10_000,
    whole: true,
  }),
  'path.procfs': pathOption({
    help: 'Where procfs is. Anywhere but /proc, netlink is not used: it would speak of this kernel.',
    default: livePaths.procfs,
  }),
  'path.sysfs': pathOption({
    help: 'Where sysfs is.',
    default: livePaths.sysfs,
  }),
  'path.debugfs': pathOption({
    help: 'Where debugfs is; else kernel/debug below sysfs.',
    default: undefined,
  }),
  'path.tracefs': pathOption({
    help: 'Where tracefs is; else kernel/tracing below sysfs.',
    default: undefined,
  }),
  'path.rrd-metrics': pathOption({
    help: 'Where xcp-rrdd of XCP-ng and XenServer puts its metrics; else /dev/shm/metrics.',
    default: undefined,
  }),
  'path.xl': pathOption({
    help: 'The xl to run in Dom0; else the one on the PATH or in /usr/lib/xen-*/bin.',
    default: undefined,
  }),
  'path.xen-diag': pathOption({
    help: 'The xen-diag to run in Dom0; else the one on the PATH or in /usr/lib/xen-*/bin.',
    default: undefined,
  }),
  'path.xentrace': pathOption({
    help: 'The xentrace to run in Dom0; else the one on the PATH or in /usr/lib/xen-*/bin.',
    default: undefined,
  }),
  'path.lsevtchn': pathOption({
    help: 'The lsevtchn to run in Dom0; else the one on the PATH or in /usr/lib/xen-*/bin.',
    default: undefined,
  }),
  'path.ovs-appctl': pathOption({
    help: 'The ovs-appctl to run where Open vSwitch is used; else the one on the PATH.',
    default: undefined,
  }),
  'path.ss': pathOption({
    help: 'The ss to run where listening sockets are read from /proc; else the one on the PATH.',
    default: undefined,
  }),
  'toolstack.interval': numberOption({
    help: 'Seconds between two readings of domains and their vCPUs by xl, in the background.',
    default: 5,
    metavar: 'SECONDS',
    min: 1,
    max: 3600,
  }),
  'toolstack.schedule': cronOption({
    help: 'When to read the inventory of the host by xl and xen-diag, besides once at the start and when a guest appears; each time up to 30 s later, so that a fleet does not do it all at once; and 30 s after one that failed.',
    default: '*/5 * * * *',
  }),
  'toolstack.timeout': numberOption({
    help: 'Seconds after which a command of the toolstack is killed.',
    default: 10,
    metavar: 'SECONDS',
    min: 0.1,
    max: 600,
  }),
  host: choiceOption({
    help: 'Who reads what only root can: local, this process; helper, another one, xen-exporter helper, so that this one needs no privilege.',
    default: 'local',
    choices: ['local', 'helper'],
  }),
  'helper.socket': pathOption({
    help: 'Unix socket of the helper, which its user and group may open.',
    default: '/run/xen-exporter/helper.sock',
  }),
  'log.level': choiceOption({ help: 'Least severe messages to log.', default: 'info', choices: logLevels }),
  'log.format': choiceOption({ help: 'Format of log lines.', default: 'logfmt', choices: logFormats }),
};

export type GlobalValues = OptionValues<typeof globalOptions>;

/** A flag of the command line, which is also a key of the config file. */
export interface Flag {
  /** Without the dashes; its dots are the levels of the config file. */
  readonly name: string;
  /** Where it stands in the config file. */
  readonly path: readonly string[];
  readonly option: Option;
}

const flag = (name: string, option: Option, path = name.split('.')): Flag => ({ name, option, path });

/** The flags of one collector: its switch, its series limit, its own options. */
const collectorFlags = ({ name, help, enabledByDefault, maxSeries, options }: CollectorDefinition): Flag[] => [
  flag(`collector.${name}`, switchOption({ help, default: enabledByDefault }), ['collector', name, 'enabled']),
  flag(
    `collector.${name}.max-series`,
    numberOption({
      help: 'Series of this collector at most; those beyond are left out and counted.',
      default: maxSeries,
      metavar: 'NUMBER',
      min: 1,
      max: 1e6,
      whole: true,
    }),
  ),
  ...Object.entries(options).map(([option, spec]) => flag(`collector.${name}.${option}`, spec)),
];

/** The settings of `xen-exporter helper`. */
const helperOptions: ReadonlySet<string> = new Set<keyof typeof globalOptions>([
  'path.procfs',
  'path.sysfs',
  'path.debugfs',
  'path.rrd-metrics',
  'path.xl',
  'path.xen-diag',
  'path.xentrace',
  'path.lsevtchn',
  'path.ovs-appctl',
  'toolstack.timeout',
  'helper.socket',
  'log.level',
  'log.format',
]);

/** The flags that the helper takes. It reads the exporter's config file, and goes by these alone. */
export const helperFlags = (): Flag[] => flagsOf([]).filter(({ name }) => helperOptions.has(name));

/** Every flag that a config file can set, too. */
export const flagsOf = (definitions: readonly CollectorDefinition[]): Flag[] => [
  ...Object.entries(globalOptions).map(([name, option]) => flag(name, option)),
  ...definitions.flatMap(collectorFlags),
];
