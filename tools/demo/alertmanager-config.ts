import { copyFileSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { dump, load } from 'js-yaml';
import { project } from '../lib/project.ts';

type Receiver = { name: string } & Record<string, unknown>;

const read = (name: string): string => readFileSync(join(project, 'alertmanager', name), 'utf8');

/**
 * Writes the shipped configuration of Alertmanager with the shipped Slack receiver for pages, and returns its path.
 * Other notifications go nowhere.
 */
export const writeAlertmanagerConfig = (folder: string): string => {
  const config = load(read('alertmanager.yml')) as { receivers: Receiver[] };
  const { receivers } = load(read('receivers.yml')) as { receivers: Receiver[] };
  const [slack] = receivers.flatMap(({ slack_configs: slack }) => (slack as object[] | undefined) ?? []);
  const path = join(folder, 'alertmanager.yml');
  writeFileSync(
    path,
    dump({
      ...config,
      receivers: config.receivers.map(({ name }) =>
        name === 'xen-page' ? { name, slack_configs: [{ ...slack, api_url: 'http://127.0.0.1:1/page' }] } : { name },
      ),
    }),
  );
  copyFileSync(join(project, 'alertmanager/xen.tmpl'), join(folder, 'xen.tmpl'));
  return path;
};
