import { cpuBudgetOption, windowOptions } from './collector-options.ts';
import {
  choiceOption,
  cronOption,
  fileOnly,
  numberOption,
  pathOption,
  switchOption,
  textListOption,
  textOption,
  type OptionValues,
} from './option.ts';
import { livePaths } from '../host/local-host.ts';
import { logFormats, logLevels } from '../host/log.ts';
import { parseListenAddress } from './listen-address.ts';

/**
 * Default listening port. It is below the ports that Linux gives to clients (32768 and up) and those of Kubernetes
 * services (30000 and up). Neither /etc/services nor a search of public code and docs found a program with this
 * default, unlike 10901 to 10912 (Thanos, RocketMQ).
 */
export const defaultPort = 28697;

const windows = windowOptions("of Xen's trace buffer", 3);

/** Options that belong to no collector. */
export const globalOptions = {
  'web.listen-address': textListOption({
    help: 'Address to listen on: HOST:PORT (all addresses if HOST is empty) or unix:PATH, a socket for its user and group. Repeatable.',
    default: [`:${defaultPort}`],
    metavar: 'ADDRESS',
    expected: 'HOST:PORT, [IPV6]:PORT, :PORT (all addresses) or unix:PATH',
    holds: (text) => parseListenAddress(text) !== undefined,
  }),
  'web.systemd-socket': switchOption({
    help: 'Listen on the sockets that systemd passes (systemd/xen-exporter.socket) instead of --web.listen-address.',
    default: false,
  }),
  'web.telemetry-path': textOption({
    help: 'Path of the metrics page. With / there is no landing page.',
    default: '/metrics',
    metavar: 'PATH',
    expected: 'a path that begins with /, not with /-/ (health and reload), and has no ?, # or space',
    holds: (text) => /^\/(?!-\/)[^?#\s]*$/.test(text),
  }),
  'web.max-requests': numberOption({
    help: 'Concurrent scrapes; further ones get a 503. Concurrent requests for the same page share one scrape, and the page of all collectors always has a place.',
    default: 40,
    metavar: 'NUMBER',
    min: 1,
    max: 10_000,
    whole: true,
  }),
  'web.max-connections': numberOption({
    help: 'Concurrent connections. Beyond the limit a new one replaces the one that has waited longest.',
    default: 512,
    metavar: 'NUMBER',
    min: 1,
    max: 100_000,
    whole: true,
  }),
  'web.max-connections-per-client': fileOnly(
    numberOption({
      help: 'Concurrent connections of one IPv4 address or IPv6 /64 network. Beyond the limit a new one replaces the one of that client that has waited longest.',
      default: 256,
      metavar: 'NUMBER',
      min: 1,
      max: 100_000,
      whole: true,
    }),
  ),
  'web.header-timeout': fileOnly(
    numberOption({
      help: 'Seconds that a client has for its TLS handshake and the headers of its request.',
      default: 10,
      metavar: 'SECONDS',
      min: 0.1,
      max: 3600,
    }),
  ),
  'web.idle-timeout': fileOnly(
    numberOption({
      help: 'Seconds after which a connection without a request is closed.',
      default: 150,
      metavar: 'SECONDS',
      min: 0.1,
      max: 86_400,
    }),
  ),
  'web.response-timeout': fileOnly(
    numberOption({
      help: 'Seconds that a client has to read a response that is ready.',
      default: 15,
      metavar: 'SECONDS',
      min: 0.1,
      max: 3600,
    }),
  ),
  'web.config.file': pathOption({
    help: "exporter-toolkit's web config file: TLS, client certificates, users, response headers, rate limit; see docs/operate/security.md.",
    default: undefined,
    mayBeRelative: true,
  }),
  'web.enable-lifecycle': switchOption({
    help: 'Let POST or PUT of /-/reload read the web config file again.',
    default: false,
  }),
  'scrape.timeout-offset': numberOption({
    help: 'Seconds to subtract from the scrape timeout of Prometheus.',
    default: 0.25,
    metavar: 'SECONDS',
    min: 0,
    max: 60,
  }),
  'collector.disable-defaults': switchOption({
    help: 'Switch off every collector that no --collector.NAME switches on.',
    default: false,
  }),
  'collector.max-series': numberOption({
    help: 'Limit of series per collector. Series beyond it are left out and counted. By default each collector has its own limit, see docs/reference/metrics.md; the config file can set it per collector.',
    default: undefined,
    metavar: 'NUMBER',
    min: 1,
    max: 1e6,
    whole: true,
  }),
  'collector.queues': choiceOption({
    help: "Export series for each queue, or one for each vif. For vif the label queue is empty, and the metric's HELP states whether the value is the sum or the worst of the queues. The config file can set it for a collector.",
    default: 'vif',
    choices: ['vif', 'each'],
  }),
  'collector.listeners.namespaces': choiceOption({
    help: 'Network namespaces whose listeners and TCP counters are read: only that of the exporter, or all with a process, such as those of containers. all needs CAP_SYS_ADMIN and CAP_SYS_PTRACE; see docs/internals/namespaces.md.',
    default: 'self',
    choices: ['self', 'all'],
  }),
  'collector.listeners.namespaces-interval': fileOnly(
    numberOption({
      help: 'Seconds between two background scans for network namespaces.',
      default: 5,
      metavar: 'SECONDS',
      min: 1,
      max: 3600,
    }),
  ),
  'collector.listeners.max-namespaces': fileOnly(
    numberOption({
      help: 'Limit of other network namespaces to read. Beyond it those with the fewest sockets are read.',
      default: 100,
      metavar: 'NUMBER',
      min: 0,
      max: 10_000,
      whole: true,
    }),
  ),
  'path.procfs': pathOption({
    help: 'Path of procfs. With a path other than /proc, netlink is not used because it reports the running kernel.',
    default: livePaths.procfs,
  }),
  'path.sysfs': pathOption({
    help: 'Path of sysfs.',
    default: livePaths.sysfs,
  }),
  'path.debugfs': fileOnly(
    pathOption({
      help: 'Path of debugfs. Default: kernel/debug below sysfs.',
      default: undefined,
    }),
  ),
  'path.tracefs': fileOnly(
    pathOption({
      help: 'Path of tracefs. Default: kernel/tracing below sysfs.',
      default: undefined,
    }),
  ),
  'path.rrd-metrics': fileOnly(
    pathOption({
      help: 'Folder of the xcp-rrdd metrics on XCP-ng and XenServer. Default: /dev/shm/metrics.',
      default: undefined,
    }),
  ),
  'path.tools': textListOption({
    help: 'Folder to search first for the programs that the exporter runs: xl, xen-diag, xentrace, lsevtchn, ovs-appctl, ss. The PATH and /usr/lib/xen-*/bin follow. If --path.procfs is not /proc, only these folders are searched, because other programs report this machine. Repeatable.',
    default: [],
    metavar: 'PATH',
    expected: 'a path that begins with /',
    holds: (text) => text.startsWith('/'),
  }),
  'toolstack.interval': numberOption({
    help: 'Seconds between two background readings of domains and vCPUs by xl.',
    default: 5,
    metavar: 'SECONDS',
    min: 1,
    max: 3600,
  }),
  'toolstack.schedule': cronOption({
    help: 'When to read the inventory of the host with xl and xen-diag. Each reading starts up to 30 s later, to spread the load of a fleet. The exporter also reads it at the start and when a guest appears. It repeats a failed reading after 30 s, or as soon as xl answers again.',
    default: '*/5 * * * *',
  }),
  'toolstack.timeout': numberOption({
    help: 'Seconds after which a toolstack command is killed.',
    default: 10,
    metavar: 'SECONDS',
    min: 0.1,
    max: 600,
  }),
  'xentrace.window': windows.window,
  'xentrace.interval': windows.interval,
  'xentrace.max-bytes': fileOnly(
    numberOption({
      help: 'Maximum size of a window in bytes. A larger window ends early. Half a million run-state changes take 8 MiB.',
      default: 8 << 20,
      metavar: 'BYTES',
      min: 1 << 16,
      max: 1 << 28,
      whole: true,
    }),
  ),
  'xentrace.cpu-budget': cpuBudgetOption(
    'Share of one core that reading the trace may use. A window that uses more ends early.',
    0.02,
  ),
  'privileged-reads': choiceOption({
    help: 'Process that reads as root. local: this process. helper: the process xen-exporter helper, so that this process needs no privilege.',
    default: 'local',
    choices: ['local', 'helper'],
  }),
  'helper.socket': pathOption({
    help: 'Unix socket of the helper. Its user and group may open it.',
    default: '/run/xen-exporter/helper.sock',
  }),
  'log.level': choiceOption({ help: 'Lowest severity to log.', default: 'info', choices: logLevels }),
  'log.format': choiceOption({ help: 'Format of log lines.', default: 'logfmt', choices: logFormats }),
};

export type GlobalValues = OptionValues<typeof globalOptions>;

/** The global options of these names. */
export const someOptions = <Name extends keyof typeof globalOptions>(
  names: readonly Name[],
): Pick<typeof globalOptions, Name> =>
  Object.fromEntries(names.map((name) => [name, globalOptions[name]])) as unknown as Pick<typeof globalOptions, Name>;
