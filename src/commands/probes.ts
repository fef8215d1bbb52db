import { lockProbes, needsTracefs, removeLeftovers } from '../collectors/probes/leftovers.ts';
import { registry } from '../collectors/registry.ts';
import { someOptions } from '../config/global-options.ts';
import { switchOption } from '../config/option.ts';
import { resolveSettings } from '../config/resolve-settings.ts';
import { settingsOf } from '../config/settings.ts';
import { UsageError } from '../config/usage-error.ts';
import { tracefsAt } from '../host/local-host.ts';
import { localTracefs, type Tracefs } from '../host/tracefs.ts';
import { print, type Command } from './command.ts';

const options = {
  cleanup: switchOption({ help: 'Take away what is left behind.', default: false }),
  ...someOptions(['path.sysfs', 'path.tracefs']),
};

/** Takes probes away that were left behind; resolves to one line for each. Rejects with AnotherExporter and FileError. */
const cleanUp = async (tracefs: Tracefs): Promise<string> => {
  const isThere = needsTracefs(tracefs.files);
  if (isThere !== true) throw new Error(isThere.reason);
  using _lock = await lockProbes(tracefs);
  const removed = await removeLeftovers(tracefs);
  return removed.length === 0 ? 'Nothing was left behind\n' : removed.map((what) => `Removed ${what}\n`).join('');
};

/** `xen-exporter probes`. */
export const probes: Command = {
  name: 'probes',
  summary: 'Takes away kernel probes that a killed exporter has left behind (--cleanup).',
  description:
    'Takes away the probes that an exporter with the collector probes has left in the kernel, as after kill -9; the next start of such an exporter does so too. The probes of a running exporter, and those that others have set, are left alone.',
  readsConfigFile: true,
  settings: settingsOf(options),
  check: ({ given, file }) => void resolveSettings(registry, { given }, file),
  run: async ({ given: { cleanup, ...given }, file }) => {
    if (cleanup !== true) throw new UsageError('probes: expected --cleanup');
    const { global } = resolveSettings(registry, { given }, file);
    const tracefs = localTracefs(tracefsAt(global['path.sysfs'], global['path.tracefs']));
    print(await cleanUp(tracefs));
  },
};
