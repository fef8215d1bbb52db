// This machine with its collectors, as serve and doctor read it.
import { version } from '../config/version.ts';
import type { Settings } from '../config/resolve-settings.ts';
import type { CollectorDefinition } from '../collectors/collector.ts';
import type { Host } from '../host/host.ts';
import { HelperLink } from '../host/helper/helper-link.ts';
import { remoteHost } from '../host/helper/remote-host.ts';
import type { Log } from '../host/log.ts';
import { ownProcess } from '../host/own-process.ts';
import { installSeccompFilter, makingRings, startingPrograms, type DeniedCall } from '../host/seccomp.ts';
import { Background } from '../scrape/background.ts';
import { CollectorRun } from '../scrape/collector-run.ts';
import { CommandDurations } from '../scrape/command-durations.ts';
import { HelperMetrics } from '../scrape/helper-metrics.ts';
import { Scraper, type ExporterMetrics } from '../scrape/scraper.ts';
import { NetworkNamespaces } from '../sources/namespaces/network-namespaces.ts';
import { Toolstack } from '../sources/toolstack/toolstack.ts';
import { Xentrace } from '../sources/xentrace/xentrace.ts';
import { setUpHost } from './setup.ts';

export type ServeSettings = Settings<CollectorDefinition>;

/** Denies system calls that this process no longer needs. */
export const deny = (calls: readonly DeniedCall[], log: Log): Promise<void> =>
  installSeccompFilter(calls).catch((error: Error) => {
    log.warn('Cannot install the seccomp filter', { calls: calls.join(','), err: error.message });
  });

/** This machine; with --privileged-reads=helper also the link to the helper. */
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

/** This machine with its collectors. */
export interface Machine {
  scraper: Scraper;
  /** Whether a helper reads what only root can. */
  hasHelper: boolean;
  /** Tells the helper that this process ends. */
  leaveHelper(): void;
  /** Closes what readings use. Stop the scraper first. */
  close(): void;
}

/** Sets the collectors up. `own`: what else of the exporter has metrics. */
export const openMachine = async (
  settings: ServeSettings,
  log: Log,
  own: readonly ExporterMetrics[] = [],
): Promise<Machine> => {
  const durations = new CommandDurations();
  const { host, link } = await createHost(settings, log, (name, seconds) => durations.observe(name, seconds));
  const namespaces = createNamespaces(settings, host);
  const all = [durations, ...own, ...(link ? [new HelperMetrics(link)] : [])];
  const scraper = createScraper(settings, host, namespaces, log, all);
  return {
    scraper,
    hasHelper: link !== undefined,
    leaveHelper: () => link?.close(),
    close: () => {
      host.commands.close();
      namespaces.close();
      host.netlink.close();
    },
  };
};
