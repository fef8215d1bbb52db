import { prepareTools } from '../../tools/lib/debian.ts';

/** Fetches the real tools once, before any test and outside any test's time limit. */
export default async function setup(): Promise<void> {
  const common = ['ss', 'ip', 'nft', 'openssl', 'python3', 'systemd-analyze'] as const;
  await prepareTools(['prometheus', 'promtool', 'alertmanager', 'amtool', ...common]);
  // src/promql is compared with Prometheus 3, whichever version other tests run.
  await prepareTools(['promtool'], 3);
}
