import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { describe, expect, test } from 'vitest';
import { startDaemon, type Daemon } from '../../tools/lib/daemon.ts';
import { debianTool } from '../../tools/lib/debian.ts';
import type { Exposition } from '../../tools/lib/exposition.ts';
import { connectMany, connectSteadily } from '../../tools/lib/tcp-clients.ts';
import { TcpServer } from '../../tools/lib/tcp-server.ts';
import { until } from '../../tools/lib/until.ts';

const run = promisify(execFile);

const ss = async (...args: string[]): Promise<string> => {
  const { path, env } = await debianTool('ss');
  return (await run(path, args, { env })).stdout;
};

/** ss's data about the listener on a port, parsed independently. */
const ssListener = async (port: number) => {
  const text = await ss('-H', '-l', '-t', '-n', '-m', `sport = :${port}`);
  const [, length, limit, drops] = /LISTEN\s+(\d+)\s+(\d+)[^]*,d(\d+)\)/.exec(text)!;
  return { length: Number(length), limit: Number(limit), drops: Number(drops) };
};

const listenerOn = (page: Exposition, port: number) => {
  const value = (metric: string, labels = {}) =>
    page.value(`xen_listener_${metric}`, { port: String(port), ...labels });
  const samples = (le: string) => value('accept_queue_fill_ratio_bucket', { le });
  return {
    sockets: value('sockets'),
    length: value('accept_queue_length'),
    limit: value('accept_queue_limit'),
    fill: value('accept_queue_max_fill_ratio'),
    synQueue: value('syn_queue_length'),
    drops: value('drops_total'),
    connectionSeconds: value('accept_queue_connection_seconds_total')!,
    fullSeconds: value('accept_queue_full_seconds_total')!,
    dequeued: value('accept_queue_dequeued_total')!,
    samples: samples('+Inf')!,
    fullSamples: samples('+Inf')! - samples('0.9')!,
  };
};

const scrape = async (daemon: Daemon, port: number) => listenerOn(await daemon.metrics('collect[]=listeners'), port);

/**
 * Has a connection wait in a queue of its own: meanwhile all queues are sampled at the full rate. Resolves when the
 * sampler has seen it.
 */
const keepInUse = async (daemon: Daemon, server: TcpServer): Promise<AsyncDisposable> => {
  const { port } = await server.listen({ backlog: 4 });
  const waiting = connectMany({ port, count: 1 });
  await until('a sample', async () => (await scrape(daemon, port)).connectionSeconds > 0 || undefined);
  return waiting;
};

// With the default budget the sampler is slower than it wants to be: always with /proc, which costs some hundred times
// what netlink does, and with netlink until its code is compiled and while the machine is busy.
const fullRate = { 'collector.listeners.sampler-cpu-budget': 1 };
const sources = ['netlink', 'proc'] as const;

describe.each(sources)('read from %s', (source) => {
  const settings = { 'collector.listeners.source': source, ...fullRate };

  test('listen(fd, 5), nobody accepts, 40 try to connect: length, limit, drops and share of full samples agree with ss', async () => {
    await using daemon = await startDaemon({ settings });
    await using server = await TcpServer.start();
    const { id, port } = await server.listen({ backlog: 5 });
    await using clients = connectMany({ port, count: 40 });
    await until('the queue to be full', async () => (await ssListener(port)).length === 6 || undefined);
    const first = await until('limit and samples', async () => {
      const now = await scrape(daemon, port);
      return now.limit !== undefined && now.samples > 0 ? now : undefined;
    });
    expect(first).toMatchObject({ sockets: 1, length: 6, limit: 5, fill: 1 });

    // Clients keep retrying, so the counter may change between two readings. Read ss between two scrapes.
    const drops = await until('the same drops as ss', async () => {
      const [before, atSs, after] = [await scrape(daemon, port), await ssListener(port), await scrape(daemon, port)];
      return before.drops === atSs.drops && after.drops === atSs.drops ? atSs.drops : undefined;
    });
    expect(drops).toBeGreaterThan(0);

    const second = await until('ten more samples', async () => {
      const now = await scrape(daemon, port);
      return now.samples >= first.samples + 10 ? now : undefined;
    });
    expect(second.fullSamples - first.fullSamples).toBe(second.samples - first.samples);
    expect(second.fullSeconds - first.fullSeconds).toBeGreaterThan(0);
    expect((second.connectionSeconds - first.connectionSeconds) / (second.fullSeconds - first.fullSeconds)).toBeCloseTo(
      6,
      6,
    );

    for (const socket of clients.sockets) socket.destroy();
    await until('the queue to be drained', async () => {
      await server.accept(id, 100);
      return (await ssListener(port)).length === 0 || undefined;
    });
    const drained = await until('two samples more', async () => {
      const now = await scrape(daemon, port);
      return now.samples >= second.samples + 2 ? now : undefined;
    });
    expect(drained).toMatchObject({ length: 0, limit: 5, fill: 0, sockets: 1 });
    expect(drained.drops).toBeGreaterThanOrEqual(drops);
    expect(drained.fullSeconds).toBeGreaterThanOrEqual(second.fullSeconds);
    expect(drained.dequeued).toBeGreaterThanOrEqual(6);
  });

  test('the drops of a server go on when it is restarted', async () => {
    await using daemon = await startDaemon({ settings });
    await using server = await TcpServer.start();
    const { id, port } = await server.listen({ backlog: 1 });
    {
      await using _clients = connectMany({ port, count: 10 });
      await until('drops', async () => ((await scrape(daemon, port)).drops ?? 0) > 0 || undefined);
    }
    const before = await until('the clients to be gone', async () => {
      const [page, atSs] = [await scrape(daemon, port), await ssListener(port)];
      return page.drops === atSs.drops ? page.drops : undefined;
    });
    await server.close(id);
    await until('the listener to be gone', async () => (await scrape(daemon, port)).sockets === undefined || undefined);
    await server.listen({ port, backlog: 1 });
    const after = await until('the listener to be back with its drops', async () => {
      const { drops } = await scrape(daemon, port);
      return drops;
    });
    expect((await ssListener(port)).drops).toBe(0);
    expect(after).toBeGreaterThanOrEqual(before!);
  });
});

test('both sources give the same reading of every listener', async () => {
  await using netlink = await startDaemon({ settings: { 'collector.listeners.source': 'netlink' } });
  await using proc = await startDaemon({ settings: { 'collector.listeners.source': 'proc' } });
  await using server = await TcpServer.start();
  const shared = await server.listen({ backlog: 3, reusePort: true });
  await server.listen({ port: shared.port, backlog: 30, reusePort: true });
  await server.listen({ backlog: 8, family: 'ipv6', host: '::', v6only: true });
  await server.listen({ backlog: 0, family: 'ipv6', host: '::1' });
  await using _clients = connectMany({ port: shared.port, count: 3 });
  const reading = async (daemon: Daemon) => {
    const page = await daemon.metrics('collect[]=listeners');
    return ['sockets', 'accept_queue_length', 'accept_queue_limit', 'accept_queue_max_fill_ratio', 'drops_total']
      .flatMap((metric) => page.samples(`xen_listener_${metric}`))
      .map(({ name, labels, value }) => `${name} ${labels['address']}:${labels['port']} ${labels['family']} ${value}`)
      .sort();
  };
  await until('limits from ss', async () => {
    const readings = [await reading(netlink), await reading(proc)];
    return JSON.stringify(readings[0]) === JSON.stringify(readings[1]) || undefined;
  });
  const lines = await reading(proc);
  expect(lines).toContain(`xen_listener_sockets 127.0.0.1:${shared.port} ipv4 2`);
  expect(lines).toContain(`xen_listener_accept_queue_limit 127.0.0.1:${shared.port} ipv4 33`);
  expect(lines).toContain(`xen_listener_accept_queue_length 127.0.0.1:${shared.port} ipv4 3`);
});

test('an overflow of 200 ms between two scrapes shows in the second, if the machine is in use', async () => {
  await using daemon = await startDaemon({ settings: { ...fullRate, 'collector.listeners.sampler-hertz': 200 } });
  await using server = await TcpServer.start();
  const { id, port } = await server.listen({ backlog: 4 });
  await using _waiting = await keepInUse(daemon, server);
  const before = await until('a sample', async () => {
    const now = await scrape(daemon, port);
    return now.samples > 0 ? now : undefined;
  });
  expect(before.fullSeconds).toBe(0);
  await using _clients = connectMany({ port, count: 5 });
  const began = performance.now();
  await until('the queue to be full', async () => (await server.queueLength(id)) === 5 || undefined);
  await until('200 ms', () => performance.now() - began >= 200 || undefined);
  await server.accept(id, 5, { close: true });
  const lasted = (performance.now() - began) / 1e3;
  const after = await until('more samples', async () => {
    const now = await scrape(daemon, port);
    return now.samples >= before.samples + 10 ? now : undefined;
  });
  expect(after).toMatchObject({ length: 0, fill: 0 });
  expect(after.fullSeconds).toBeGreaterThan(0.05);
  // Samples stand for the mean time between two, and some forty have met the overflow.
  expect(after.fullSeconds).toBeLessThan(lasted + 0.2);
});

test('100 connections a second, each held 50 ms: the mean accept wait from the integral is that of the server', async () => {
  await using daemon = await startDaemon({ settings: fullRate });
  await using server = await TcpServer.start();
  await using _waiting = await keepInUse(daemon, server);
  const { id, port } = await server.listen({ backlog: 128 });
  const holding = await server.holdEach(id, 50);
  const seconds = 8;
  const totals = async () => {
    const page = await daemon.metrics();
    const listener = { port: String(port) };
    return {
      connectionSeconds: page.value('xen_listener_accept_queue_connection_seconds_total', listener)!,
      passiveOpens: page.value('xen_tcp_passive_opens_total')!,
    };
  };
  const before = await until('the first sample', async () => {
    const now = await totals();
    return now.connectionSeconds >= 0 ? now : undefined;
  });
  await connectSteadily({ port, perSecond: 100, seconds });
  await until('the last to be accepted', async () => (await server.queueLength(id)) === 0 || undefined);
  const { accepted, meanWaitSeconds } = await holding.stop();
  const after = await totals();
  expect(accepted).toBe(100 * seconds);
  // Counts the whole machine, including other connections such as those to the daemon.
  expect(after.passiveOpens - before.passiveOpens).toBeGreaterThanOrEqual(accepted);
  const wait = (after.connectionSeconds - before.connectionSeconds) / accepted;
  expect(wait / meanWaitSeconds).toBeGreaterThan(0.8);
  expect(wait / meanWaitSeconds).toBeLessThan(1.2);
});

test('deferred accept: the SYN queue is as long as ss counts', async () => {
  await using daemon = await startDaemon();
  await using server = await TcpServer.start();
  const { port } = await server.listen({ backlog: 64, deferAcceptSeconds: 20 });
  await using _clients = connectMany({ port, count: 7 });
  const counted = async () => {
    const text = await ss('-H', '-t', '-n', 'state', 'syn-recv', `sport = :${port}`);
    return text.split('\n').filter(Boolean).length;
  };
  await until('seven in the handshake', async () => (await counted()) === 7 || undefined);
  expect(await scrape(daemon, port)).toMatchObject({ synQueue: 7, length: 0 });
});

test('include and exclude choose listeners by address and port', async () => {
  await using server = await TcpServer.start();
  const [a, b] = [await server.listen({ backlog: 1 }), await server.listen({ backlog: 1 })];
  const portsOf = async (...args: string[]) => {
    await using daemon = await startDaemon({ args });
    const page = await daemon.metrics('collect[]=listeners');
    return page.samples('xen_listener_sockets').map(({ labels }) => Number(labels['port']));
  };
  expect(await portsOf(`--collector.listeners.include=.*:${a.port}`)).toEqual([a.port]);
  const others = await portsOf(`--collector.listeners.exclude=127\\.0\\.0\\.1:${a.port}`);
  expect(others).toContain(b.port);
  expect(others).not.toContain(a.port);
});
