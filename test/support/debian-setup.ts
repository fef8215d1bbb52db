import { prepareTools } from '../../tools/lib/debian.ts';

/** Downloads the real tools once, before all tests and outside their time limits. */
export default async function setup(): Promise<void> {
  const common = ['ss', 'ip', 'nft', 'openssl', 'python3', 'systemd-analyze'] as const;
  await prepareTools(['prometheus', 'promtool', 'alertmanager', 'amtool', ...common]);
  // src/promql is always compared with Prometheus 3.
  await prepareTools(['promtool'], 3);
}
