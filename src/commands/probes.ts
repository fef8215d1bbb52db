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
  cleanup: switchOption({ help: 'Remove leftover probes.', default: false }),
  ...someOptions(['path.sysfs', 'path.tracefs']),
};

/** Removes leftover probes. Resolves to one line for each. Rejects with AnotherExporter and FileError. */
const cleanUp = async (tracefs: Tracefs): Promise<string> => {
  const isThere = needsTracefs(tracefs.files);
  if (isThere !== true) throw new Error(isThere.reason);
  using _lock = await lockProbes(tracefs);
  const removed = await removeLeftovers(tracefs);
  return removed.length === 0 ? 'Found no leftover probes\n' : removed.map((what) => `Removed ${what}\n`).join('');
};

/** `xen-exporter probes`. */
export const probes: Command = {
  name: 'probes',
  description:
    'Removes probes that an exporter with the collector probes left in the kernel, for example after kill -9. The next start of such an exporter also removes them. It does not touch the probes of a running exporter or of other programs.',
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
