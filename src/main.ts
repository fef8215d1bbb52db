#!/usr/bin/env node
import './host/v8-flags.ts';
import { readFileSync } from 'node:fs';
import { parseCommandLine } from './config/command-line.ts';
import { parseConfigFile } from './config/config-file.ts';
import { flagsOf, helperFlags } from './config/flags.ts';
import { healthCommand } from './commands/health.ts';
import { parseListenAddress } from './config/listen-address.ts';
import { rulesCommand } from './commands/rules.ts';
import { resolveSettings, type Settings } from './config/settings.ts';
import { UsageError } from './config/usage-error.ts';
import { traceCommand } from './commands/probes.ts';
import { usage } from './config/usage.ts';
import { NetworkNamespaces } from './sources/namespaces/network-namespaces.ts';
import { registry } from './collectors/registry.ts';
import { Toolstack } from './sources/toolstack/toolstack.ts';
import { systemClock } from './host/clock.ts';
import { forbidCalls, listening, startingPrograms, type ForbiddenCall } from './host/seccomp.ts';
import type { Host } from './host/host.ts';
import { localHost } from './host/local-host.ts';
import { helpedHost } from './host/helper/remote-host.ts';
import { Helper } from './host/helper/helper.ts';
import { HelperLink } from './host/helper/helper-link.ts';
import { createLog as logTo, type Log } from './host/log.ts';
import { ownProcess } from './host/own-process.ts';
import { serviceManager } from './host/service-manager.ts';
import { blindAlerts } from './pack/alerts-without-data.ts';
import { Background } from './scrape/background.ts';
import { CollectorRun } from './scrape/collector-run.ts';
import { CommandDurations } from './scrape/command-durations.ts';
import { HelperMetrics } from './scrape/helper-metrics.ts';
import { Scraper, type OwnMetrics } from './scrape/scraper.ts';
import { WebMetrics } from './scrape/web-metrics.ts';
import { version } from './config/version.ts';
import { createApp } from './web/app.ts';
import { WebConfigFile } from './web/config/web-config-file.ts';
import { CurrentConfig } from './web/current-config.ts';
import { guard } from './web/access.ts';
import { Passwords } from './web/passwords.ts';
import { FrontDoor } from './web/server.ts';

const exitStatus = { failed: 1, badUsage: 2 } as const;
// Time that responses get to end after SIGTERM.
const graceSeconds = 5;
const warmUpSeconds = 10;

const readConfigFile = (path: string) => {
  try {
    return parseConfigFile(path, readFileSync(path, 'utf8'));
  } catch (error) {
    if (error instanceof UsageError) throw error;
    throw new UsageError(`--config.file: ${(error as Error).message}`, { cause: error });
  }
};

const webConfigFile = ({ global }: Settings): WebConfigFile | undefined => {
  const path = global['web.config.file'];
  return path === undefined ? undefined : new WebConfigFile(path);
};

const createLocalHost = (
  { global }: Settings,
  observeCommand: (name: string, seconds: number) => void,
): Promise<Host> =>
  localHost({
    procfs: global['path.procfs'],
    sysfs: global['path.sysfs'],
    debugfs: global['path.debugfs'],
    tracefs: global['path.tracefs'],
    rrdMetrics: global['path.rrd-metrics'],
    programs: {
      xl: global['path.xl'],
      'xen-diag': global['path.xen-diag'],
      xentrace: global['path.xentrace'],
      lsevtchn: global['path.lsevtchn'],
      'ovs-appctl': global['path.ovs-appctl'],
      ss: global['path.ss'],
    },
    observeCommand,
  });

const createLog = ({ global }: Settings): Log =>
  logTo({
    level: global['log.level'],
    format: global['log.format'],
    write: (line) => process.stderr.write(line),
  });

/** Gives up what this process has no more need of. */
const forbid = (calls: readonly ForbiddenCall[], log: Log): Promise<void> =>
  forbidCalls(calls).catch((error: Error) => {
    log.warn('Cannot forbid this process what it has no need of', { calls: calls.join(','), err: error.message });
  });

/** This machine; where a helper is to read what only root can, the link to it too. */
const createHost = async (
  settings: Settings,
  log: Log,
  observeCommand: (name: string, seconds: number) => void,
): Promise<{ host: Host; link?: HelperLink }> => {
  const { host: reader, 'helper.socket': socket } = settings.global;
  const host = await createLocalHost(settings, observeCommand);
  if (reader === 'local') return { host };
  await forbid(startingPrograms, log);
  const link = new HelperLink(socket, log);
  await link.watch();
  return { host: await helpedHost(host, { socket, link, observeCommand }), link };
};

const createNamespaces = ({ global }: Settings, host: Host): NetworkNamespaces =>
  new NetworkNamespaces(host, {
    scope: global['collector.listeners.namespaces'],
    intervalSeconds: global['collector.listeners.namespaces-interval'],
    most: global['collector.listeners.max-namespaces'],
  });

const createScraper = (
  settings: Settings,
  host: Host,
  namespaces: NetworkNamespaces,
  log: Log,
  own: readonly OwnMetrics[],
): Scraper => {
  const { global, collectors } = settings;
  const background = new Background(host.clock);
  const toolstack = new Toolstack(host, {
    intervalSeconds: global['toolstack.interval'],
    schedule: global['toolstack.schedule'],
    timeoutSeconds: global['toolstack.timeout'],
  });
  const runs = collectors
    .filter(({ isEnabled }) => isEnabled)
    .map(({ definition, maxSeries, options }) => {
      const collector = definition.create({ options, host, log, toolstack, namespaces });
      return new CollectorRun({ definition, collector, host, log, maxSeries, background });
    });
  return new Scraper({
    runs,
    host,
    background,
    own,
    readOwnProcess: ownProcess(),
    version,
    mostUnderWay: global['web.max-requests'],
  });
};

/** The HTTP side; nothing listens yet. */
const createDoor = (
  settings: Settings,
  config: CurrentConfig,
  log: Log,
  scraper: Scraper,
  metrics: WebMetrics,
): FrontDoor => {
  const { global, collectors } = settings;
  const now = systemClock.monotonicSeconds;
  const handlers = createApp({
    scraper,
    log,
    version,
    blindAlerts,
    disabled: collectors.filter(({ isEnabled }) => !isEnabled).map(({ definition }) => definition),
    guard: guard({ config, passwords: new Passwords({ now }), metrics, now }),
    metrics,
    reload: global['web.enable-lifecycle'] ? () => config.reload() : undefined,
    telemetryPath: global['web.telemetry-path'],
    timeoutOffsetSeconds: global['scrape.timeout-offset'],
  });
  const limits = {
    connections: global['web.max-connections'],
    connectionsPerClient: global['web.max-connections-per-client'],
    headerSeconds: global['web.header-timeout'],
    idleSeconds: global['web.idle-timeout'],
    responseSeconds: global['web.response-timeout'],
  };
  return new FrontDoor({ handlers, limits, config, metrics });
};

const serve = async (settings: Settings): Promise<void> => {
  const { global } = settings;
  const log = createLog(settings);
  const manager = serviceManager(process.env);
  const commandDurations = new CommandDurations();
  const webMetrics = new WebMetrics();
  const config = new CurrentConfig({
    file: webConfigFile(settings),
    log,
    metrics: webMetrics,
    clock: systemClock,
  });
  process.on('SIGHUP', () => config.reload());
  log.info('Starting xen-exporter', { version, node_version: process.version });
  const { host, link } = await createHost(settings, log, (name, seconds) => commandDurations.observe(name, seconds));
  const own = [commandDurations, webMetrics, ...(link ? [new HelperMetrics(link)] : [])];
  const namespaces = createNamespaces(settings, host);
  const scraper = createScraper(settings, host, namespaces, log, own);
  log.info('Enabled collectors', { collectors: scraper.names.join(',') });
  const door = createDoor(settings, config, log, scraper, webMetrics);
  // The first reading meets code that is not compiled yet and takes several times as long as those after it: nobody shall wait for it.
  await scraper.exposition({ format: 'text', encoding: 'gzip', timeoutSeconds: warmUpSeconds });
  const addresses: string[] = [];
  try {
    for (const text of global['web.listen-address']) addresses.push(await door.listen(parseListenAddress(text)!));
  } catch (error) {
    await door.close(0);
    throw error;
  }
  // Programs, such as the clients of Open vSwitch, may want sockets of their own; with a helper there are none.
  if (link) await forbid(listening, log);
  scraper.start();
  const { tls, http2, users } = config.value;
  const protocol = { tls: tls !== undefined, http2: tls !== undefined && http2, basic_auth: users.size > 0 };
  for (const address of addresses) log.info('Listening on', { address, ...protocol });

  const stop = async (signal: NodeJS.Signals): Promise<void> => {
    log.info('Stopping', { signal });
    manager.stopping();
    link?.close();
    await Promise.all([scraper.stop(), door.close(graceSeconds)]);
    host.commands.close();
    namespaces.close();
    host.netlink.close();
  };
  process.once('SIGTERM', stop).once('SIGINT', stop);
  await manager.ready();
};

/** `xen-exporter helper`. */
const help = async (settings: Settings): Promise<void> => {
  const { global } = settings;
  const log = createLog(settings);
  const manager = serviceManager(process.env);
  const secondsOf = new Map<string, number>();
  const host = await createLocalHost(settings, (name, seconds) => secondsOf.set(name, seconds));
  const helper = new Helper({ host, log, version, timeoutSeconds: global['toolstack.timeout'], secondsOf });
  await helper.listen(global['helper.socket']);
  log.info('Helping on', { address: `unix:${global['helper.socket']}`, version, node_version: process.version });

  const stop = (signal: NodeJS.Signals): void => {
    log.info('Stopping', { signal });
    manager.stopping();
    helper.close();
    host.commands.close();
    host.netlink.close();
  };
  process.once('SIGTERM', stop).once('SIGINT', stop);
  await manager.ready();
};

const main = async (args: readonly string[]): Promise<void> => {
  if (args[0] === 'rules') return void process.stdout.write(rulesCommand(args.slice(1)));
  if (args[0] === 'health') return void process.stdout.write(await healthCommand(args.slice(1)));
  if (args[0] === 'trace') return void process.stdout.write(await traceCommand(args.slice(1)));
  const isHelper = args[0] === 'helper';
  const flags = isHelper ? helperFlags() : flagsOf(registry);
  const commandLine = parseCommandLine(isHelper ? args.slice(1) : args, flags);
  if (commandLine.action === 'help') return void process.stdout.write(usage(flags, isHelper ? 'helper' : 'serve'));
  if (commandLine.action === 'version') return void process.stdout.write(`xen-exporter ${version}\n`);
  const file = commandLine.configFile === undefined ? undefined : readConfigFile(commandLine.configFile);
  const settings = resolveSettings(registry, commandLine, file);
  if (commandLine.action === 'check-config') {
    webConfigFile(settings)?.load();
    return void process.stdout.write('Flags and config files are valid\n');
  }
  await (isHelper ? help : serve)(settings);
};

main(process.argv.slice(2)).catch((error: unknown) => {
  process.stderr.write(`xen-exporter: ${(error as Error).message.replaceAll('\n', '\nxen-exporter: ')}\n`);
  process.exitCode = error instanceof UsageError ? exitStatus.badUsage : exitStatus.failed;
});
