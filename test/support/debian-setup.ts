import { prepareTools } from '../../tools/lib/debian.ts';

/** Fetches the real tools once, before any test and outside any test's time limit. */
export default async function setup(): Promise<void> {
  await prepareTools([
    'prometheus',
    'promtool',
    'alertmanager',
    'amtool',
    'ss',
    'ip',
    'nft',
    'openssl',
    'systemd-analyze',
  ]);
}
