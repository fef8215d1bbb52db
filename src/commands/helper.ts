import { someOptions } from '../config/global-options.ts';
import { resolveSettings } from '../config/resolve-settings.ts';
import { allSettings, settingsOf } from '../config/settings.ts';
import { version } from '../config/version.ts';
import { registry } from '../collectors/registry.ts';
import { Helper } from '../host/helper/helper.ts';
import { remoteCollectors } from '../host/helper/requests.ts';
import { serviceManager } from '../host/service-manager.ts';
import type { Command } from './command.ts';
import { onStopSignal, setUpHost, setUpLog, setupOptions } from './setup.ts';

const switches = remoteCollectors.map((collector) => `collector.${collector}`);

/** `xen-exporter helper`. It reads the exporter's config file but uses only its own settings. */
export const helper: Command = {
  name: 'helper',
  description:
    'Runs as root and serves xen-exporter --privileged-reads=helper over a Unix socket. It reads only what has a name in its table.',
  readsConfigFile: true,
  settings: [
    ...settingsOf(someOptions(setupOptions)),
    ...allSettings(registry).filter(({ name }) => switches.includes(name)),
  ],
  check: ({ given, file }) => void resolveSettings(registry, { given }, file),
  run: async ({ given, file }) => {
    const { global, collectors } = resolveSettings(registry, { given }, file);
    const enabled = new Set(collectors.flatMap(({ isEnabled, definition }) => (isEnabled ? [definition.name] : [])));
    const log = setUpLog(global);
    const manager = serviceManager(process.env);
    const secondsOf = new Map<string, number>();
    const host = await setUpHost(global, log, (name, seconds) => secondsOf.set(name, seconds));
    const server = new Helper({
      host,
      log,
      version,
      timeoutSeconds: global['toolstack.timeout'],
      secondsOf,
      collectors: enabled,
    });
    await server.listen(global['helper.socket']);
    log.info('Helping on', { address: `unix:${global['helper.socket']}`, version, node_version: process.version });
    onStopSignal((signal) => {
      log.info('Stopping', { signal });
      manager.stopping();
      server.close();
      host.commands.close();
      host.netlink.close();
    });
    await manager.ready();
  },
};
