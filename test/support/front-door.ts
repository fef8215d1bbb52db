import { systemClock } from '../../src/host/clock.ts';
import type { Log } from '../../src/host/log.ts';
import { WebMetrics } from '../../src/scrape/web-metrics.ts';
import { createApp } from '../../src/web/app.ts';
import { WebConfigFile } from '../../src/web/config/web-config-file.ts';
import type { ConnectionLimits } from '../../src/web/connections.ts';
import { CurrentConfig } from '../../src/web/current-config.ts';
import { accessControl } from '../../src/web/access.ts';
import { LiveDiagnosis } from '../../src/web/live-diagnosis.ts';
import { Passwords } from '../../src/web/passwords.ts';
import { FrontDoor, type Handlers, type ListenAddress } from '../../src/web/server.ts';
import { fakeCollector, fakeScraper } from './fake-collector.ts';
import { recordingLog } from '../../tools/lib/recording-log.ts';

export interface Door extends AsyncDisposable {
  port: number;
  door: FrontDoor;
  config: CurrentConfig;
  metrics: WebMetrics;
  log: ReturnType<typeof recordingLog>;
}

const patient: ConnectionLimits = {
  connections: 512,
  connectionsPerClient: 256,
  headerSeconds: 10,
  idleSeconds: 60,
  responseSeconds: 10,
};

/** A listening front door. Default handlers: the product's app with one collector. */
export const startDoor = async (
  spec: {
    handlers?: Handlers;
    limits?: Partial<ConnectionLimits>;
    configFile?: string;
    address?: ListenAddress;
  } = {},
): Promise<Door> => {
  const { limits, configFile, address = { host: '127.0.0.1', port: 0 } } = spec;
  const metrics = new WebMetrics();
  const log = recordingLog();
  const file = configFile === undefined ? undefined : new WebConfigFile(configFile);
  const config = new CurrentConfig({ file, log, metrics, clock: systemClock });
  const now = systemClock.monotonicSeconds;
  const handlers =
    spec.handlers ??
    createApp({
      scraper: fakeScraper([fakeCollector('cpu')]),
      log: log as Log,
      version: '1.2.3',
      alertsWithoutData: () => [],
      disabled: [],
      diagnosis: new LiveDiagnosis(log as Log),
      access: accessControl({ config, passwords: new Passwords({ now }), metrics, now }),
      metrics,
      reload: undefined,
      telemetryPath: '/metrics',
      timeoutOffsetSeconds: 0.25,
    });
  const door = new FrontDoor({ handlers, limits: { ...patient, ...limits }, config, metrics });
  const where = await door.listen(address);
  return {
    port: Number(where.slice(where.lastIndexOf(':') + 1)),
    door,
    config,
    metrics,
    log,
    [Symbol.asyncDispose]: () => door.close(0),
  };
};
