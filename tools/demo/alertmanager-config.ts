import { copyFileSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { dump, load } from 'js-yaml';
import { project } from '../lib/project.ts';

const shipped = join(project, 'alertmanager');

/** A chat service that shows plain text, so that links stand in full. */
const plainText = {
  api_url: 'http://127.0.0.1:1/page',
  channel: '#xen',
  title: '{{ template "xen.title" . }}',
  text: '{{ template "xen.text" . }}',
};

/** Writes the shipped configuration and texts of Alertmanager, and returns the path. Only pages are sent. */
export const writeAlertmanagerConfig = (folder: string): string => {
  const config = load(readFileSync(join(shipped, 'alertmanager.yml'), 'utf8')) as { receivers: { name: string }[] };
  const receivers = config.receivers.map(({ name }) =>
    name === 'xen-page' ? { name, slack_configs: [plainText] } : { name },
  );
  const path = join(folder, 'alertmanager.yml');
  writeFileSync(path, dump({ ...config, receivers }));
  copyFileSync(join(shipped, 'xen.tmpl'), join(folder, 'xen.tmpl'));
  return path;
};
