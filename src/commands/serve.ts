import { allSettings } from '../config/settings.ts';
import { parseListenAddress } from '../config/listen-address.ts';
import { resolveSettings, type Settings } from '../config/resolve-settings.ts';
import { UsageError } from '../config/usage-error.ts';
import { version } from '../config/version.ts';
import type { CollectorDefinition } from '../collectors/collector.ts';
import { registry } from '../collectors/registry.ts';
import { systemClock } from '../host/clock.ts';
import type { Host } from '../host/host.ts';
import { HelperLink } from '../host/helper/helper-link.ts';
import { remoteHost } from '../host/helper/remote-host.ts';
import type { Log } from '../host/log.ts';
import { ownProcess } from '../host/own-process.ts';
import { takePassedSockets } from '../host/passed-sockets.ts';
import { installSeccompFilter, listening, makingRings, startingPrograms, type DeniedCall } from '../host/seccomp.ts';
import { serviceManager } from '../host/service-manager.ts';
import { alertsWithoutData } from '../pack/alerts-without-data.ts';
import { Background } from '../scrape/background.ts';
import { CollectorRun } from '../scrape/collector-run.ts';
import { CommandDurations } from '../scrape/command-durations.ts';
import { HelperMetrics } from '../scrape/helper-metrics.ts';
import { Scraper, type ExporterMetrics } from '../scrape/scraper.ts';
import { WebMetrics } from '../scrape/web-metrics.ts';
import { NetworkNamespaces } from '../sources/namespaces/network-namespaces.ts';
import { Toolstack } from '../sources/toolstack/toolstack.ts';
import { Xentrace } from '../sources/xentrace/xentrace.ts';
import { accessControl } from '../web/access.ts';
import { createApp } from '../web/app.ts';
import { WebConfigFile } from '../web/config/web-config-file.ts';
import { CurrentConfig } from '../web/current-config.ts';
import { Passwords } from '../web/passwords.ts';
import { FrontDoor, type ListenAddress } from '../web/server.ts';
import type { Command } from './command.ts';
import { onStopSignal, setUpHost, setUpLog } from './setup.ts';

type ServeSettings = Settings<CollectorDefinition>;

// Time for responses to end after SIGTERM.
const graceSeconds = 5;
const warmUpSeconds = 10;

const webConfigFile = ({ global }: ServeSettings): WebConfigFile | undefined => {
  const path = global['web.config.file'];
  return path === undefined ? undefined : new WebConfigFile(path);
};

/** Denies system calls that this process no longer needs. */
const deny = (calls: readonly DeniedCall[], log: Log): Promise<void> =>
  installSeccompFilter(calls).catch((error: Error) => {
    log.warn('Cannot install the seccomp filter', { calls: calls.join(','), err: error.message });
  });

/** The local machine. With --privileged-reads=helper also the link to the helper. */
const createHost = async (
  { global }: ServeSettings,
  log: Log,
  observeCommand: (name: string, seconds: number) => void,
): Promise<{ host: Host; link?: HelperLink }> => {
  const host = await setUpHost(global, log, observeCommand);
  if (global['privileged-reads'] === 'local') return { host };
  await deny([...startingPrograms, ...makingRings], log);
  const socket = global['helper.socket'];
  const link = new HelperLink(socket, log);
  await link.watch();
  return { host: await remoteHost(host, { socket, link, observeCommand }), link };
};

const createNamespaces = ({ global }: ServeSettings, host: Host): NetworkNamespaces =>
  new NetworkNamespaces(host, {
    scope: global['collector.listeners.namespaces'],
    intervalSeconds: global['collector.listeners.namespaces-interval'],
    most: global['collector.listeners.max-namespaces'],
  });

const createScraper = (
  { global, collectors }: ServeSettings,
  host: Host,
  namespaces: NetworkNamespaces,
  log: Log,
  own: readonly ExporterMetrics[],
): Scraper => {
  const background = new Background(host.clock);
  const toolstack = new Toolstack(host, {
    intervalSeconds: global['toolstack.interval'],
    schedule: global['toolstack.schedule'],
    timeoutSeconds: global['toolstack.timeout'],
  });
  const xentrace = new Xentrace(host, toolstack, {
    windowSeconds: global['xentrace.window'],
    intervalSeconds: global['xentrace.interval'],
    maxBytes: global['xentrace.max-bytes'],
    cpuBudget: global['xentrace.cpu-budget'],
  });
  const runs = collectors
    .filter(({ isEnabled }) => isEnabled)
    .map(({ definition, maxSeries, options }) => {
      const collector = definition.create({ options, host, log, toolstack, namespaces, xentrace });
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

/** Creates the HTTP side. It does not listen yet. */
const createDoor = (
  { global, collectors }: ServeSettings,
  config: CurrentConfig,
  log: Log,
  scraper: Scraper,
  metrics: WebMetrics,
): FrontDoor => {
  const now = systemClock.monotonicSeconds;
  const handlers = createApp({
    scraper,
    log,
    version,
    alertsWithoutData,
    disabled: collectors.filter(({ isEnabled }) => !isEnabled).map(({ definition }) => definition),
    access: accessControl({ config, passwords: new Passwords({ now }), metrics, now }),
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

/** Addresses to listen on, each with its flag. Throws UsageError if systemd should pass sockets and did not. */
const listenAddresses = (global: ServeSettings['global']): { flag: string; address: ListenAddress }[] => {
  if (!global['web.systemd-socket']) {
    const texts = global['web.listen-address'];
    return texts.map((text) => ({ flag: `--web.listen-address=${text}`, address: parseListenAddress(text)! }));
  }
  const sockets = takePassedSockets(process.env);
  if (sockets.length === 0) {
    throw new UsageError(
      '--web.systemd-socket: expected sockets of systemd (LISTEN_PID, LISTEN_FDS), found none: start the exporter by its .socket unit',
    );
  }
  return sockets.map((fd) => ({ flag: '--web.systemd-socket', address: { fd } }));
};

/** Listens on every address, or on none. Resolves to the actual addresses. */
const listen = async (door: FrontDoor, all: ReturnType<typeof listenAddresses>): Promise<string[]> => {
  const addresses: string[] = [];
  try {
    for (const { flag, address } of all) {
      const listening = door.listen(address).catch((error: Error) => {
        throw new Error(`${flag}: ${error.message}`, { cause: error });
      });
      addresses.push(await listening);
    }
    return addresses;
  } catch (error) {
    await door.close(0);
    throw error;
  }
};

const run = async (settings: ServeSettings): Promise<void> => {
  const { global } = settings;
  const log = setUpLog(global);
  const listenOn = listenAddresses(global);
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
  // Warm up: the first scrape runs uncompiled code and takes several times as long as later ones.
  await scraper.exposition({ format: 'text', encoding: 'gzip', timeoutSeconds: warmUpSeconds });
  const addresses = await listen(door, listenOn);
  // Open vSwitch clients and other programs may need their own sockets. With a helper this process runs no program.
  if (link) await deny(listening, log);
  scraper.start();
  const { tls, http2, users } = config.value;
  const protocol = { tls: tls !== undefined, http2: tls !== undefined && http2, basic_auth: users.size > 0 };
  for (const address of addresses) log.info('Listening on', { address, ...protocol });

  onStopSignal(async (signal) => {
    log.info('Stopping', { signal });
    manager.stopping();
    link?.close();
    await Promise.all([scraper.stop(), door.close(graceSeconds)]);
    host.commands.close();
    namespaces.close();
    host.netlink.close();
  });
  await manager.ready();
};

/** `xen-exporter`: the exporter. */
export const serve: Command = {
  name: 'serve',
  summary: 'Serves the metrics of this machine (default command).',
  description: 'Prometheus exporter for the TCP accept path of Xen hosts and guests.',
  readsConfigFile: true,
  settings: allSettings(registry),
  check: ({ given, file }) => void webConfigFile(resolveSettings(registry, { given }, file))?.load(),
  run: ({ given, file }) => run(resolveSettings(registry, { given }, file)),
};
