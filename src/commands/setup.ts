// Shared set-up of the long-running commands, serve and helper.
import type { globalOptions, GlobalValues } from '../config/global-options.ts';
import type { Host } from '../host/host.ts';
import { localHost } from '../host/local-host.ts';
import { createLog, type Log } from '../host/log.ts';
import { endOrphans } from '../host/orphans.ts';

/** Names of the options that both have. */
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

/** Warns if --path.procfs is not a procfs. Nearly everything would be absent, as on a machine without Xen. */
const checkProcfs = ({ procfs }: Host, log: Log): void => {
  const warn = (found: string): void => {
    const expected = `a file ${procfs.path('stat')} that begins with cpu`;
    log.warn('--path.procfs is not a procfs', { path: procfs.root, expected, found });
  };
  try {
    if (!/^cpu /.test(procfs.text('stat'))) warn('another content');
  } catch (error) {
    warn((error as Error).message);
  }
};

/**
 * The local machine. Ends programs that an earlier exporter left running. `observeCommand` receives each process's
 * duration in seconds.
 */
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
  for (const { pid, program } of endOrphans())
    log.warn('Ended a program that a killed exporter left running', { pid, program });
  return host;
};

/** Calls `stop` at the first SIGTERM or SIGINT. */
export const onStopSignal = (stop: (signal: NodeJS.Signals) => void): void => {
  process.once('SIGTERM', stop).once('SIGINT', stop);
};
