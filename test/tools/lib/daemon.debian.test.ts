import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { startDaemon } from '../../../tools/lib/daemon.ts';
import { startPrometheus } from '../../../tools/lib/prometheus.ts';
import { until } from '../../../tools/lib/until.ts';

let folder: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'daemon-'));
});
afterAll(() => rm(folder, { recursive: true }));

/** A program that listens and logs like the daemon. */
async function fake(): Promise<string> {
  const main = join(folder, 'fake.mjs');
  await writeFile(
    main,
    `import { createServer } from 'node:http';
     import { gzipSync } from 'node:zlib';
     const server = createServer((request, response) => {
       const body = '# TYPE fake_value gauge\\nfake_value{url="' + request.url + '"} 7\\n';
       if (request.headers['accept-encoding'] !== 'gzip') {
         response.writeHead(200, { 'content-type': 'text/plain; version=0.0.4; charset=utf-8' }).end(body);
       } else response.writeHead(200, { 'content-encoding': 'gzip' }).end(gzipSync(body));
     });
     if (process.argv[3] === 'fail') throw new Error('failed on purpose');
     server.listen(0, '127.0.0.1', () => {
       process.stderr.write('level=info msg="Listening on" address=127.0.0.1:' + server.address().port + ' given=' + process.env.GIVEN + '\\n');
     });
     process.on('SIGTERM', () => process.exit(3));`,
  );
  return main;
}

test('a daemon is asked, stopped and gone', async () => {
  await using daemon = await startDaemon({ main: await fake(), env: { GIVEN: 'yes' } });
  expect(daemon.log()).toContain('given=yes');
  expect((await daemon.metrics('collect[]=tcp')).value('fake_value', { url: '/metrics?collect[]=tcp' })).toBe(7);
  const { status, headers, body, bytes } = await daemon.get('/x', { 'Accept-Encoding': 'gzip' });
  expect({ status, encoding: headers['content-encoding'] }).toEqual({ status: 200, encoding: 'gzip' });
  expect(body).toContain('fake_value{url="/x"} 7');
  expect(bytes.readUInt16BE(0)).toBe(0x1f8b);
  expect(await daemon.stop()).toEqual({ code: 3, signal: null });
  await expect(daemon.get('/')).rejects.toThrow('ECONNREFUSED');
});

test('a daemon that ends at once is an error with its log', async () => {
  await expect(startDaemon({ main: await fake(), args: ['fail'] })).rejects.toThrow(
    /ended; its log:.*failed on purpose/s,
  );
});

test('a real Prometheus scrapes it', async () => {
  await using daemon = await startDaemon({ main: await fake() });
  await using prometheus = await startPrometheus({
    targets: [`127.0.0.1:${daemon.port}`],
    scrapeIntervalSeconds: 0.2,
  });
  const [up] = await until('a scrape', async () => {
    const found = await prometheus.query('up{job="xen"} == 1');
    return found.length > 0 ? found : undefined;
  });
  expect(up).toEqual({
    metric: { __name__: 'up', job: 'xen', instance: `127.0.0.1:${daemon.port}` },
    value: 1,
  });
  expect(await prometheus.query('fake_value * 6')).toMatchObject([{ metric: { url: '/metrics' }, value: 42 }]);
  expect(await prometheus.query('scalar(nothing)')).toEqual([{ metric: {}, value: NaN }]);
  expect(await prometheus.targets()).toMatchObject([{ health: 'up', lastError: '' }]);
  expect(prometheus.log()).not.toMatch(/level=(warn|error)/);
  await expect(prometheus.query('rate(')).rejects.toThrow('parse error');
});
