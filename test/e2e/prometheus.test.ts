import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { startDaemon, type Daemon } from '../support/daemon.ts';
import { promtoolCheckMetrics, startPrometheus, type Prometheus } from '../support/prometheus.ts';
import { until } from '../support/until.ts';

const openMetrics = 'application/openmetrics-text;version=1.0.0';

let daemon: Daemon;
beforeAll(async () => {
  daemon = await startDaemon();
});
afterAll(() => daemon[Symbol.asyncDispose]());

describe('a real Prometheus', () => {
  let prometheus: Prometheus;
  beforeAll(async () => {
    const target = { static_configs: [{ targets: [`127.0.0.1:${daemon.port}`] }] };
    prometheus = await startPrometheus({
      scrapeIntervalSeconds: 1,
      scrapeConfigs: [{ job_name: 'default', ...target }],
    });
  });
  afterAll(() => prometheus[Symbol.asyncDispose]());

  const query = async (promql: string): Promise<number | undefined> => (await prometheus.query(promql))[0]?.value;

  test('scrapes it: up is 1, samples arrive, no warning is logged', async () => {
    await until('two scrapes', async () => ((await query('count_over_time(up[1m])')) ?? 0) >= 2 || undefined, {
      timeoutMs: 20_000,
    });
    expect(await query('min_over_time(up[1m])')).toBe(1);
    expect(await query('sum(xen_listener_sockets)')).toBeGreaterThan(0);
    expect(await query('xen_guest_info')).toBe(1);
    // Counters keep their names in OpenMetrics, which is what Prometheus 2.42 asks for.
    expect(await query('xen_tcp_passive_opens_total')).toBeGreaterThan(0);
    expect(await query('histogram_quantile(0.5, xen_listener_accept_queue_fill_ratio_bucket) >= 0')).toBeDefined();
    expect(await query('scrape_samples_scraped')).toBeGreaterThan(80);
    expect((await prometheus.targets()).map(({ health }) => health)).toEqual(['up']);
    expect(prometheus.log()).not.toMatch(/level=(warn|error)/);
  });

  test('answers the questions of the README as the README says', async () => {
    const readme = readFileSync(new URL('../../README.md', import.meta.url), 'utf8');
    const queries = [...readme.matchAll(/^\|[^|]*\?\s*\| `([^`]*rate\(.*)`\s*\|$/gm)].map(([, promql]) => promql!);
    expect(queries).toHaveLength(4);
    for (const promql of queries) {
      const answers = await until(promql, async () => {
        // Each look is a connection: without any, the mean wait is that of none, NaN.
        await daemon.get('/-/healthy');
        const results = await prometheus.query(promql);
        return results.length > 0 && results.every(({ value }) => !Number.isNaN(value)) ? results : undefined;
      });
      for (const { value } of answers) expect(value, promql).toBeGreaterThanOrEqual(0);
    }
  });
});

test('text, OpenMetrics and text again: the same names and types each time', async () => {
  const text = [await daemon.get('/metrics?collect[]=tcp'), await daemon.get('/metrics?collect[]=tcp')];
  const om = await daemon.get('/metrics?collect[]=tcp', { Accept: openMetrics });
  const again = await daemon.get('/metrics?collect[]=tcp');
  const shape = (body: string) => body.split('\n').flatMap((line) => /^(?:# \w+ )?xen_\S+/.exec(line)?.[0] ?? []);
  expect(shape(again.body)).toEqual(shape(text[0]!.body));
  expect(om.body).toContain('# TYPE xen_tcp_passive_opens counter\nxen_tcp_passive_opens_total ');
  expect(again.body).toContain('# TYPE xen_tcp_passive_opens_total counter\nxen_tcp_passive_opens_total ');
  expect(om.body.endsWith('\n# EOF\n')).toBe(true);
});

test('OpenMetrics is sent compressed to those who take gzip', async () => {
  const response = await daemon.get('/metrics', { Accept: openMetrics, 'Accept-Encoding': 'gzip' });
  expect(response.headers['content-encoding']).toBe('gzip');
  expect(response.headers['content-type']).toBe('application/openmetrics-text; version=1.0.0; charset=utf-8');
  expect(response.bytes.length).toBeLessThan(response.body.length / 3);
});

test('promtool check metrics has nothing to say', async () => {
  expect(await promtoolCheckMetrics((await daemon.get('/metrics')).body)).toEqual({ status: 0, output: '' });
});
