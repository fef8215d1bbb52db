import { expect, test } from 'vitest';
import { promtoolCheckMetrics, startPrometheus } from '../../../tools/lib/prometheus.ts';

test('a configuration that Prometheus refuses is an error with its log', async () => {
  const extraConfig = { no_such_option: true };
  await expect(startPrometheus({ scrapeIntervalSeconds: 1, extraConfig })).rejects.toThrow(
    /Prometheus did not start:.*no_such_option/s,
  );
});

test('promtool passes a clean exposition and names what is wrong with another', async () => {
  const clean = '# HELP a_seconds How long.\n# TYPE a_seconds gauge\na_seconds 1\n';
  expect(await promtoolCheckMetrics(clean)).toEqual({ status: 0, output: '' });
  const unclean = '# HELP a_total How many.\n# TYPE a_total gauge\na_total 1\n';
  expect(await promtoolCheckMetrics(unclean)).toEqual({
    status: 3,
    output: 'a_total non-counter metrics should not have "_total" suffix\n',
  });
});
