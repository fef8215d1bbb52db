import { Unavailable } from '../../src/host/unavailable.ts';
import supertest from 'supertest';
import { describe, expect, test } from 'vitest';
import { FileError } from '../../src/host/file-tree.ts';
import { createApp } from '../../src/web/app.ts';
import { Families } from '../../src/metrics/families.ts';
import { metrics as exporterMetrics } from '../../src/scrape/exporter-metrics.ts';
import { LiveDiagnosis } from '../../src/web/live-diagnosis.ts';
import { WebMetrics } from '../../src/scrape/web-metrics.ts';
import { parseExposition } from '../../tools/lib/exposition.ts';
import { fakeCollector, fakeMetric, fakeScraper } from '../support/fake-collector.ts';
import { fakeClock, fakeHost } from '../../tools/lib/fake-host.ts';
import { recordingLog } from '../../tools/lib/recording-log.ts';

const definitions = [
  fakeCollector('cpu'),
  fakeCollector('tcp', { limitations: () => 'drops: no <ss>' }),
  fakeCollector('broken', {
    collect: () => {
      throw new FileError('/proc/x', 'EIO', 'i/o <error>');
    },
  }),
  fakeCollector('xen', { availability: () => new Unavailable('this kernel does not run on "Xen"') }),
];

const handlers = (parts: Partial<Parameters<typeof createApp>[0]> = {}) =>
  createApp({
    scraper: fakeScraper(definitions),
    log: recordingLog(),
    version: '1.2.3',
    alertsWithoutData: () => [],
    disabled: [{ name: 'probes', help: 'Probes.' }],
    diagnosis: new LiveDiagnosis(recordingLog()),
    telemetryPath: '/metrics',
    timeoutOffsetSeconds: 0.25,
    access: (_request, _response, next) => next(),
    metrics: new WebMetrics(),
    reload: undefined,
    ...parts,
  });

const app = (parts: Parameters<typeof handlers>[0] = {}) => handlers(parts).http1;

const openMetrics = 'application/openmetrics-text;version=1.0.0';

describe('paths with too many slashes, as a proxy makes them that adds a prefix', () => {
  test.each([
    ['//metrics?collect[]=cpu', '/metrics?collect[]=cpu'],
    ['///', '/'],
    ['/-//healthy', '/-/healthy'],
    ['//-/diagnosis', '/-/diagnosis'],
  ])('%s leads to %s', async (path, location) => {
    const response = await supertest(app()).get(path).expect(301);
    expect(response.headers['location']).toBe(location);
  });

  test('but not to what is not there, nor to /-/reload', async () => {
    const withReload = app({ reload: () => true });
    for (const path of ['//etc/passwd', '//-/reload', '/metrics//']) await supertest(withReload).get(path).expect(404);
  });
});

describe('/metrics', () => {
  test('is text unless OpenMetrics is asked for, with the exact content type', async () => {
    const text = await supertest(app()).get('/metrics').expect(200);
    expect(text.headers['content-type']).toBe('text/plain; version=0.0.4; charset=utf-8');
    const om = await supertest(app()).get('/metrics').set('Accept', openMetrics).buffer(true).expect(200);
    expect(om.headers['content-type']).toBe('application/openmetrics-text; version=1.0.0; charset=utf-8');
    expect(om.text).toMatch(/\n# EOF\n$/);
  });

  test.each(['text/plain', openMetrics])('is compressed for those who take gzip: %s', async (accept) => {
    const response = await supertest(app()).get('/metrics').set('Accept', accept).set('Accept-Encoding', 'gzip');
    expect(response.headers['content-encoding']).toBe('gzip');
  });

  test('has no ETag and no x-powered-by', async () => {
    const { headers } = await supertest(app()).get('/metrics');
    expect(headers).not.toHaveProperty('etag');
    expect(headers).not.toHaveProperty('x-powered-by');
  });

  test('one failing collector costs only itself; an absent one has not failed', async () => {
    const page = parseExposition((await supertest(app()).get('/metrics')).text);
    const self = (metric: string, collector: string) => page.value(`xen_exporter_collector_${metric}`, { collector });
    expect(page.value('xen_cpu')).toBe(1);
    expect(page.value('xen_broken')).toBeUndefined();
    expect([self('success', 'broken'), self('available', 'broken'), self('series', 'broken')]).toEqual([0, 1, 0]);
    expect([self('success', 'xen'), self('available', 'xen'), self('series', 'xen')]).toEqual([1, 0, 0]);
    expect(self('last_success_timestamp_seconds', 'cpu')).toBeGreaterThan(1_000_000_000);
    expect(self('last_success_timestamp_seconds', 'broken')).toBeUndefined();
    expect(page.value('xen_exporter_build_info', { version: '1.2.3', node_version: process.version })).toBe(1);
  });

  test.each([
    ['collect[]=cpu', ['cpu']],
    ['collect[]=cpu&collect[]=tcp', ['cpu', 'tcp']],
    ['collect%5B%5D=tcp', ['tcp']],
    ['exclude[]=cpu&exclude[]=broken', ['tcp', 'xen']],
  ])('?%s runs those alone', async (query, names) => {
    const page = parseExposition((await supertest(app()).get(`/metrics?${query}`).expect(200)).text);
    const run = page.samples('xen_exporter_collector_success').map(({ labels }) => labels['collector']);
    expect(run).toEqual(names);
  });

  test.each([
    ['collect[]=cpu&exclude[]=tcp', 'expected collect[] or exclude[], found both\n'],
    ['collect[]=nope', 'expected names of collectors (cpu, tcp, broken, xen), found "nope"\n'],
    ['exclude[]=nope', 'expected names of collectors (cpu, tcp, broken, xen), found "nope"\n'],
    ['collect[]=__proto__', 'expected names of collectors (cpu, tcp, broken, xen), found "__proto__"\n'],
  ])('?%s is a bad request', async (query, message) => {
    const response = await supertest(app()).get(`/metrics?${query}`).expect(400);
    expect(response.text).toBe(message);
  });

  test('may have another path, which is then matched to the letter', async () => {
    const moved = app({ telemetryPath: '/xen(.*)' });
    await supertest(moved).get('/xen(.*)').expect(200);
    for (const path of ['/metrics', '/xenfoo', '/xen(.*)/', '/XEN(.*)']) await supertest(moved).get(path).expect(404);
  });

  test('may be the root', async () => {
    const response = await supertest(app({ telemetryPath: '/' }))
      .get('/')
      .expect(200);
    expect(response.text).toContain('xen_cpu 1');
  });

  test('the deadline is what Prometheus waits, less the offset: what would begin later is not begun', async () => {
    const late = fakeCollector('late', { collect: ({ host }) => void host.procfs.text('stat') });
    const slow = fakeCollector('slow', {
      collect: ({ host }) => (host.clock as { advance?(s: number): void }).advance?.(2.9),
    });
    const run = async (timeout: string) => {
      const server = app({ scraper: fakeScraper([slow, late, fakeCollector('quick')]) });
      const header = ['X-Prometheus-Scrape-Timeout-Seconds', timeout] as const;
      const page = parseExposition(
        (
          await supertest(server)
            .get('/metrics')
            .set(...header)
        ).text,
      );
      const { text } = await supertest(server).get('/').expect(200);
      return { quick: page.value('xen_quick'), exceeded: text.includes('deadline exceeded before reading') };
    };
    expect(await run('3')).toEqual({ quick: 1, exceeded: true });
    expect(await run('10')).toEqual({ quick: 1, exceeded: false });
  });

  test('those who ask while a scrape is under way share it', async () => {
    let collected = 0;
    const counting = fakeCollector('counting', {
      collect: ({ out }) => {
        collected += 1;
        out.gauge(fakeMetric('counting'), {}, collected);
      },
    });
    const scraper = fakeScraper([counting]);
    const request = { format: 'text', encoding: 'identity', timeoutSeconds: 1 } as const;
    const pages = await Promise.all([1, 2, 3].map(() => scraper.exposition(request)));
    expect(collected).toBe(1);
    expect(new Set(pages).size).toBe(1);
    await scraper.exposition(request);
    expect(collected).toBe(2);
  });

  test('those who have more time than a scrape under way make their own', async () => {
    const begun: number[] = [];
    const scraper = fakeScraper([fakeCollector('slow', { collect: () => void begun.push(1) })]);
    const ask = (timeoutSeconds: number) =>
      scraper.exposition({ format: 'text', encoding: 'identity', timeoutSeconds });
    const pages = await Promise.all([ask(1), ask(10), ask(5)]);
    expect([pages[0] === pages[1], pages[1] === pages[2]]).toEqual([false, true]);
    expect(begun).toHaveLength(2);
  });

  test('however much time many ask for, one page of a kind is made at once', async () => {
    const host = fakeHost('/nonexistent');
    let [now, most] = [0, 0];
    const slow = fakeCollector('slow', {
      collect: function* () {
        now += 1;
        most = Math.max(most, now);
        yield;
        now -= 1;
      },
    });
    const scraper = fakeScraper([slow], { host });
    const ask = (n: number) =>
      scraper.exposition({ format: 'text', encoding: 'identity', timeoutSeconds: 1.5 ** n, names: new Set(['slow']) });
    const pages = await Promise.all(Array.from({ length: 20 }, (_, n) => ask(n)));
    expect(pages.every((page) => page?.toString().includes('xen_exporter_collector_success{collector="slow"} 1'))).toBe(
      true,
    );
    expect(most).toBe(1);
  });

  test('many pages of some collectors do not hold up that of all', async () => {
    const names = Array.from({ length: 30 }, (_, n) => `c${n}`);
    const scraper = fakeScraper(names.map((name) => fakeCollector(name)));
    const order: string[] = [];
    const ask = async (without?: string) => {
      const only = without === undefined ? {} : { names: new Set(names.filter((name) => name !== without)) };
      const page = await scraper.exposition({ format: 'text', encoding: 'identity', timeoutSeconds: 10, ...only });
      expect(page?.toString()).toContain(`xen_${without === 'c0' ? 'c1' : 'c0'} 1`);
      order.push(without ?? 'all');
    };
    await Promise.all([...names.map(ask), ask()]);
    expect(order.indexOf('all')).toBeLessThan(10);
  });

  test('one that could not be made in half of its time for others is refused', async () => {
    const host = fakeHost('/nonexistent');
    const clock = fakeClock();
    const names = ['a', 'b', 'c', 'd'];
    const slow = names.map((name) => fakeCollector(name, { collect: () => void clock.advance(0.3) }));
    const scraper = fakeScraper([fakeCollector('first'), ...slow], { host: { ...host, clock } });
    const ask = (name: string) =>
      scraper.exposition({ format: 'text', encoding: 'identity', timeoutSeconds: 1, names: new Set(['first', name]) });
    const pages = await Promise.all(names.map(ask));
    expect(pages.map((page) => page !== undefined)).toEqual([true, true, false, false]);
  });

  test('where too many are under way, other pages are refused; the same ones and that of all collectors are not', async () => {
    const scraper = fakeScraper(
      ['a', 'b', 'c'].map((name) => fakeCollector(name)),
      { mostUnderWay: 2 },
    );
    const ask = (...names: string[]) =>
      scraper.exposition({
        format: 'text',
        encoding: 'identity',
        timeoutSeconds: 1,
        ...(names.length > 0 && { names: new Set(names) }),
      });
    const [a, b] = [ask('a'), ask('b')];
    expect(ask('c')).toBeUndefined();
    expect(ask('a')).toBe(a);
    const all = ask();
    expect((await all)?.toString()).toContain('xen_c 1');
    await Promise.all([a, b]);
    expect((await ask('c'))?.toString()).toContain('xen_c 1');
  });

  test('a scrape that is refused is a 503', async () => {
    const scraper = fakeScraper([]);
    scraper.exposition = () => undefined;
    const metrics = new WebMetrics();
    const text = 'Too many scrapes under way, try again later\n';
    await supertest(app({ scraper, metrics })).get('/metrics').expect(503, text);
    const out = new Families();
    metrics.addTo(out);
    const refused = out.list().find(({ descriptor }) => descriptor === exporterMetrics.webRefused)!.samples;
    expect(refused.find(({ sharedLabels }) => sharedLabels['reason'] === 'requests')?.value).toBe(1);
  });
});

describe('other paths', () => {
  test('health and readiness', async () => {
    await supertest(app()).get('/-/healthy').expect(200, 'Healthy\n');
    await supertest(app()).get('/-/ready').expect(200, 'Ready\n');
  });

  test('the landing page says what is collected, what is not and why, escaped', async () => {
    const { text, headers } = await supertest(app()).get('/').expect(200);
    expect(headers['content-type']).toBe('text/html; charset=utf-8');
    expect(text).toContain('href="./metrics"');
    expect(text).toContain('this kernel does not run on &quot;Xen&quot;');
    expect(text).toContain('without drops: no &lt;ss&gt;');
    expect(text).toContain('switched off; --collector.probes switches it on');
    expect(text.match(/<span class="state">\w+<\/span>/g)).toEqual(
      ['collected', 'collected', 'collected', 'absent', 'off'].map((state) => `<span class="state">${state}</span>`),
    );
  });

  test('the landing page says which alerts cannot work with what a scrape gave', async () => {
    const asked: string[][] = [];
    const alertsWithoutData = (metrics: ReadonlySet<string>) => {
      asked.push([...metrics]);
      return metrics.size > 0 ? [{ name: 'XenStorm', lacks: ['xen_a', 'xen_<b>'] }] : [];
    };
    const server = app({ alertsWithoutData });
    expect((await supertest(server).get('/')).text).not.toContain('Alerts that cannot work');
    await supertest(server).get('/metrics');
    expect((await supertest(server).get('/')).text).toContain('<td>XenStorm</td><td>xen_a, xen_&lt;b&gt;</td>');
    expect(asked.map(({ length }) => length > 0)).toEqual([false, true]);
  });

  test('the landing page shows a failure once a scrape has met it', async () => {
    const server = app();
    await supertest(server).get('/metrics');
    const { text } = await supertest(server).get('/');
    expect(text).toContain('<span class="state">failing</span>');
    expect(text).toContain('/proc/x: i/o &lt;error&gt;');
  });

  test('the landing page and /-/diagnosis have a verdict once two scrapes have come since the first look', async () => {
    const scraper = fakeScraper(definitions);
    const diagnosis = new LiveDiagnosis(recordingLog());
    scraper.observe((families) => diagnosis.observe(families));
    const server = app({ scraper, diagnosis });
    await supertest(server)
      .get('/-/diagnosis')
      .expect(503, 'No verdict before two scrapes have come since the first request\n');
    expect((await supertest(server).get('/')).text).toContain('No verdict yet');
    for (let n = 0; n < 2; n += 1) await supertest(server).get('/metrics').expect(200);
    const { body, headers } = await supertest(server).get('/-/diagnosis').expect(200);
    expect(headers['content-type']).toBe('application/json; charset=utf-8');
    expect(body).toMatchObject({ schema: 1, status: 'unknown', guests: [] });
    expect((await supertest(server).get('/')).text).toContain('<strong>unknown</strong>: Nothing could be judged');
  });

  test('the verdict passes the same access control as metrics', async () => {
    const server = app({ access: (_request, response) => void response.status(401).end() });
    for (const path of ['/metrics', '/', '/-/diagnosis']) await supertest(server).get(path).expect(401);
  });

  test('unknown paths, other methods', async () => {
    await supertest(app()).get('/nope').expect(404, 'Not found\n');
    await supertest(app()).get('/metrics/').expect(404);
    await supertest(app()).post('/metrics').expect(405).expect('Allow', 'GET, HEAD, OPTIONS');
    await supertest(app()).head('/metrics').expect(200);
    const got = await supertest(app()).get('/-/healthy').expect(200);
    await supertest(app()).options('/-/healthy').expect(200, got.text);
  });

  test('an error inside says nothing of the inside', async () => {
    const scraper = fakeScraper([]);
    scraper.exposition = () => Promise.reject(new Error('secret /path'));
    const log = recordingLog();
    await supertest(app({ scraper, log })).get('/metrics').expect(500, 'Internal error\n');
    expect(log.lines).toEqual(['error | Request failed | /metrics | secret /path']);
  });
});

describe('/-/reload', () => {
  test('is not there unless it is enabled', async () => {
    await supertest(app()).post('/-/reload').expect(404, 'Not found\n');
  });

  test('reads the web config file again, for POST and PUT alone', async () => {
    let isGood = true;
    const server = app({ reload: () => isGood });
    await supertest(server).post('/-/reload').expect(200, 'Web config file read again\n');
    await supertest(server).put('/-/reload').expect(200);
    await supertest(server).get('/-/reload').expect(405, 'Method not allowed\n').expect('Allow', 'POST, PUT');
    isGood = false;
    await supertest(server).post('/-/reload').expect(500, 'Web config file cannot be used, see the log\n');
  });
});
