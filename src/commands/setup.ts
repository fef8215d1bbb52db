// Setup that the long-running commands, serve and helper, share.
import type { globalOptions, GlobalValues } from '../config/global-options.ts';
import type { Host } from '../host/host.ts';
import { localHost } from '../host/local-host.ts';
import { createLog, type Log } from '../host/log.ts';
import { endOrphans } from '../host/orphans.ts';

/** The options that both take, by name. */
export const setupOptions = [
  'path.procfs',
  'path.sysfs',
  'path.debugfs',
  'path.tracefs',
  'path.rrd-metrics',
  'path.tools',
  'toolstack.timeout',
  'helper.socket',
  'log.level',
  'log.format',
] as const satisfies readonly (keyof typeof globalOptions)[];

type SetupValues = Pick<GlobalValues, (typeof setupOptions)[number]>;

/** The log, on stderr. */
export const setUpLog = (values: SetupValues): Log =>
  createLog({
    level: values['log.level'],
    format: values['log.format'],
    write: (line) => process.stderr.write(line),
  });

/** Warns when --path.procfs leads to no procfs: then nearly everything is absent, which looks like a machine without Xen. */
const checkProcfs = ({ procfs }: Host, log: Log): void => {
  const warn = (found: string): void => {
    const expected = `a file ${procfs.path('stat')} that begins with cpu`;
    log.warn('--path.procfs is no procfs', { path: procfs.root, expected, found });
  };
  try {
    if (!/^cpu /.test(procfs.text('stat'))) warn('another content');
  } catch (error) {
    warn((error as Error).message);
  }
};

/** This machine, without programs that an exporter has left running. `observeCommand` receives the seconds that each process ran. */
export const setUpHost = async (
  values: SetupValues,
  log: Log,
  observeCommand: (name: string, seconds: number) => void,
): Promise<Host> => {
  const host = await localHost({
    procfs: values['path.procfs'],
    sysfs: values['path.sysfs'],
    debugfs: values['path.debugfs'],
    tracefs: values['path.tracefs'],
    rrdMetrics: values['path.rrd-metrics'],
    tools: values['path.tools'],
    observeCommand,
  });
  checkProcfs(host, log);
  for (const { pid, program } of endOrphans()) log.warn('Ended a program whose exporter was killed', { pid, program });
  return host;
};

/** Calls `stop` at the first SIGTERM or SIGINT. */
export const onStopSignal = (stop: (signal: NodeJS.Signals) => void): void => {
  process.once('SIGTERM', stop).once('SIGINT', stop);
};
