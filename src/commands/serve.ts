import { allSettings } from '../config/settings.ts';
import { parseListenAddress } from '../config/listen-address.ts';
import { resolveSettings } from '../config/resolve-settings.ts';
import { UsageError } from '../config/usage-error.ts';
import { version } from '../config/version.ts';
import { registry } from '../collectors/registry.ts';
import { systemClock } from '../host/clock.ts';
import type { Log } from '../host/log.ts';
import { takePassedSockets } from '../host/passed-sockets.ts';
import { listening } from '../host/seccomp.ts';
import { serviceManager } from '../host/service-manager.ts';
import { alertsWithoutData } from '../pack/alerts-without-data.ts';
import type { Scraper } from '../scrape/scraper.ts';
import { WebMetrics } from '../scrape/web-metrics.ts';
import { accessControl } from '../web/access.ts';
import { createApp } from '../web/app.ts';
import { WebConfigFile } from '../web/config/web-config-file.ts';
import { CurrentConfig } from '../web/current-config.ts';
import { LiveDiagnosis } from '../web/live-diagnosis.ts';
import { Passwords } from '../web/passwords.ts';
import { FrontDoor, type ListenAddress } from '../web/server.ts';
import type { Command } from './command.ts';
import { deny, openMachine, type ServeSettings } from './machine.ts';
import { onStopSignal, setUpLog } from './setup.ts';

// Time for responses to end after SIGTERM.
const graceSeconds = 5;
const warmUpSeconds = 10;

const webConfigFile = ({ global }: ServeSettings): WebConfigFile | undefined => {
  const path = global['web.config.file'];
  return path === undefined ? undefined : new WebConfigFile(path);
};

/** Creates the HTTP side. It does not listen yet. */
const createDoor = (
  { global, collectors }: ServeSettings,
  config: CurrentConfig,
  log: Log,
  scraper: Scraper,
  metrics: WebMetrics,
  diagnosis: LiveDiagnosis,
): FrontDoor => {
  const now = systemClock.monotonicSeconds;
  const handlers = createApp({
    scraper,
    log,
    version,
    alertsWithoutData,
    diagnosis,
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
  const webMetrics = new WebMetrics();
  const config = new CurrentConfig({
    file: webConfigFile(settings),
    log,
    metrics: webMetrics,
    clock: systemClock,
  });
  process.on('SIGHUP', () => config.reload());
  log.info('Starting xen-exporter', { version, node_version: process.version });
  const diagnosis = new LiveDiagnosis(log);
  const machine = await openMachine(settings, log, [webMetrics, diagnosis]);
  const { scraper } = machine;
  scraper.observe((families) => diagnosis.observe(families));
  log.info('Enabled collectors', { collectors: scraper.names.join(',') });
  const door = createDoor(settings, config, log, scraper, webMetrics, diagnosis);
  // Warm up: the first scrape runs uncompiled code and takes several times as long as later ones.
  await scraper.exposition({ format: 'text', encoding: 'gzip', timeoutSeconds: warmUpSeconds });
  const addresses = await listen(door, listenOn);
  // Open vSwitch clients and other programs may need their own sockets. With a helper this process runs no program.
  if (machine.hasHelper) await deny(listening, log);
  scraper.start();
  const { tls, http2, users } = config.value;
  const protocol = { tls: tls !== undefined, http2: tls !== undefined && http2, basic_auth: users.size > 0 };
  for (const address of addresses) log.info('Listening on', { address, ...protocol });

  onStopSignal(async (signal) => {
    log.info('Stopping', { signal });
    manager.stopping();
    machine.leaveHelper();
    await Promise.all([scraper.stop(), door.close(graceSeconds)]);
    machine.close();
  });
  await manager.ready();
};

/** `xen-exporter`: the exporter. */
export const serve: Command = {
  name: 'serve',
  description: 'Prometheus exporter for the TCP accept path of Xen hosts and guests.',
  readsConfigFile: true,
  settings: allSettings(registry),
  check: ({ given, file }) => void webConfigFile(resolveSettings(registry, { given }, file))?.load(),
  run: ({ given, file }) => run(resolveSettings(registry, { given }, file)),
};
