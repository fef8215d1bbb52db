import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { startDaemon, type Daemon } from '../../tools/lib/daemon.ts';
import { hostFlags } from '../../tools/lib/copied-host.ts';
import { hostRoot } from '../../tools/lib/hosts.ts';
import { promtoolCheckMetrics, startPrometheus, type Prometheus } from '../../tools/lib/prometheus.ts';
import { until } from '../../tools/lib/until.ts';

const openMetrics = 'application/openmetrics-text;version=1.0.0';

let daemon: Daemon;
/** A copied Dom0 in a storm. */
let dom0: Daemon;
beforeAll(async () => {
  daemon = await startDaemon();
  dom0 = await startDaemon({ args: [...hostFlags(hostRoot('credit-storm')), '--toolstack.interval=1'] });
});
afterAll(async () => {
  await daemon[Symbol.asyncDispose]();
  await dom0[Symbol.asyncDispose]();
});

/**
 * Forwards requests to the daemon with an Accept header for text, which Prometheus 2.42 cannot be configured to send.
 */
const startTextProxy = async (): Promise<Server> => {
  const proxy = createServer(async (_request, response) => {
    const { headers, bytes } = await daemon.get('/metrics', { Accept: 'text/plain;version=0.0.4' });
    response.setHeader('Content-Type', headers['content-type']!).end(bytes);
  }).listen(0, '127.0.0.1');
  await once(proxy, 'listening');
  return proxy;
};

const isOfHost = (promql: string): boolean => /xen_(?:domain|netback)_/.test(promql);

describe('a real Prometheus', () => {
  let prometheus: Prometheus;
  let proxy: Server;
  beforeAll(async () => {
    proxy = await startTextProxy();
    const job = (name: string, port: number) => ({
      job_name: name,
      static_configs: [{ targets: [`127.0.0.1:${port}`] }],
    });
    prometheus = await startPrometheus({
      scrapeIntervalSeconds: 1,
      scrapeConfigs: [
        job('openmetrics', daemon.port),
        job('text', (proxy.address() as AddressInfo).port),
        job('dom0', dom0.port),
      ],
    });
  });
  afterAll(async () => {
    await prometheus[Symbol.asyncDispose]();
    proxy.close();
  });

  const query = async (promql: string): Promise<number | undefined> => (await prometheus.query(promql))[0]?.value;

  test.each(['openmetrics', 'text'])('scrapes it as %s: up is 1, samples arrive', async (job) => {
    const value = (promql: string) => query(promql.replaceAll('JOB', `job="${job}"`));
    await until('two scrapes', async () => ((await value('count_over_time(up{JOB}[1m])')) ?? 0) >= 2 || undefined);
    expect(await value('min_over_time(up{JOB}[1m])')).toBe(1);
    expect(await value('sum(xen_listener_sockets{JOB})')).toBeGreaterThan(0);
    expect(await value('xen_guest_info{JOB}')).toBe(1);
    expect(await value('xen_tcp_passive_opens_total{JOB}')).toBeGreaterThan(0);
    expect(await value('histogram_quantile(0.5, xen_listener_accept_queue_fill_ratio_bucket{JOB}) >= 0')).toBeDefined();
    expect(await value('scrape_samples_scraped{JOB}')).toBeGreaterThan(80);
  });

  test('has nothing to complain about', async () => {
    expect((await prometheus.targets()).map(({ health }) => health)).toEqual(['up', 'up', 'up']);
    expect(prometheus.log()).not.toMatch(/level=(warn|error)/);
  });

  test('answers the questions of docs/reference/queries.md by its queries', async () => {
    const page = readFileSync(new URL('../../docs/reference/queries.md', import.meta.url), 'utf8');
    const queries = [...page.matchAll(/^\|[^|]*\?\s*\| `([^`]*rate\(.*)`\s*\|$/gm)].map(([, promql]) => promql!);
    expect(queries).toHaveLength(4 + 5);
    for (const promql of queries) {
      const answers = await until(promql, async () => {
        // Each health check is a connection: without any, the mean wait is NaN.
        await daemon.get('/-/healthy');
        const all = await prometheus.query(promql);
        // The copied Dom0 has no connections, so the mean wait of its listeners stays NaN.
        const results = all.filter(({ metric }) => metric['instance'] !== `127.0.0.1:${dom0.port}` || isOfHost(promql));
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
  expect(om.body).toContain('# TYPE xen_tcp_passive_opens counter\nxen_tcp_passive_opens_total{netns=""} ');
  expect(again.body).toContain('# TYPE xen_tcp_passive_opens_total counter\nxen_tcp_passive_opens_total{netns=""} ');
  expect(om.body.endsWith('\n# EOF\n')).toBe(true);
});

test('OpenMetrics is sent compressed to those who take gzip', async () => {
  const response = await daemon.get('/metrics', { Accept: openMetrics, 'Accept-Encoding': 'gzip' });
  expect(response.headers['content-encoding']).toBe('gzip');
  expect(response.headers['content-type']).toBe('application/openmetrics-text; version=1.0.0; charset=utf-8');
  expect(response.bytes.length).toBeLessThan(response.body.length / 3);
});

test('promtool check metrics has nothing to say', async () => {
  for (const each of [daemon, dom0]) {
    expect(await promtoolCheckMetrics((await each.get('/metrics')).body)).toEqual({ status: 0, output: '' });
  }
});
