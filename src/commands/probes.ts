import { parseArgs } from 'node:util';
import { needsTracefs, removeRemains } from '../collectors/probes/leftovers.ts';
import { FileTree } from '../host/file-tree.ts';
import { livePaths } from '../host/local-host.ts';
import { localTracefs } from '../host/tracefs.ts';
import { UsageError } from '../config/usage-error.ts';

export const traceUsage = `usage: xen-exporter trace --cleanup [FLAGS]

Takes the probes away that an exporter with the collector trace has left in the kernel, as after kill -9; also its next start does. Those of an
exporter that runs, and what others have set, are left alone.

  --path.procfs=PATH          Where procfs is (default ${livePaths.procfs})
  --path.tracefs=PATH         Where tracefs is (default ${livePaths.sysfs}/kernel/tracing)
  --help                      Print this text and exit.
`;

/** Does what `xen-exporter trace` is asked for; returns what to print. Rejects with UsageError, AnotherExporter and FileError. */
export const traceCommand = async (args: readonly string[]): Promise<string> => {
  const { help, cleanup, ...paths } = parsed(args);
  if (help) return traceUsage;
  if (!cleanup) throw new UsageError('trace: expected --cleanup');
  const procfs = new FileTree(paths['path.procfs']);
  const tracefs = localTracefs(paths['path.tracefs']);
  const isThere = needsTracefs(tracefs.files);
  if (isThere !== true) throw new Error(isThere);
  const removed = await removeRemains({ procfs, tracefs });
  return removed.length === 0 ? 'Nothing was left behind\n' : removed.map((what) => `Removed ${what}\n`).join('');
};

const parsed = (args: readonly string[]) => {
  try {
    return parseArgs({
      args: [...args],
      options: {
        cleanup: { type: 'boolean', default: false },
        'path.procfs': { type: 'string', default: livePaths.procfs },
        'path.tracefs': { type: 'string', default: `${livePaths.sysfs}/kernel/tracing` },
        help: { type: 'boolean', default: false },
      },
    }).values;
  } catch (error) {
    throw new UsageError((error as Error).message, { cause: error });
  }
};
