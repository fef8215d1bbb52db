import { once } from 'node:events';
import { createServer, type RequestListener } from 'node:http';
import type { AddressInfo } from 'node:net';
import { describe, expect, onTestFinished, test } from 'vitest';
import { parsePeer, readPeer, readTargetsFile, type PeerAccess } from '../../src/commands/peers.ts';
import { TempTree } from '../../tools/lib/fake-host.ts';

describe('addresses of exporters', () => {
  test.each([
    ['dom0', 'http://dom0:28697/metrics', 'dom0:28697'],
    ['192.0.2.1:9100', 'http://192.0.2.1:9100/metrics', '192.0.2.1:9100'],
    ['[2001:db8::1]', 'http://[2001:db8::1]:28697/metrics', '[2001:db8::1]:28697'],
    ['https://dom0', 'https://dom0/metrics', 'dom0'],
    ['https://dom0:28697/xen', 'https://dom0:28697/xen', 'dom0:28697'],
  ])('%s is %s', (text, href, instance) => {
    const peer = parsePeer(text, true)!;
    expect({ ...peer, url: peer.url.href }).toEqual({ url: href, instance, isHost: true });
  });

  test.each(['', 'a b', 'me:secret@dom0', 'dom0:port', 'dom0?x=1', 'dom0#x'])('%j is none', (text) => {
    expect(parsePeer(text, false)).toBeUndefined();
  });
});

describe('files of targets', () => {
  const written = (text: string): string => {
    const folder = new TempTree();
    onTestFinished(() => folder[Symbol.dispose]());
    folder.write({ targets: text });
    return folder.path('targets');
  };
  const read = (text: string) =>
    readTargetsFile(written(text)).map(({ url, isHost }) => `${isHost ? 'host' : 'guest'} ${url.href}`);

  test('are those of Prometheus, as YAML or JSON', () => {
    const yaml = `- targets: ['dom0:28697']
  labels: { xen_role: host, __scheme__: https, __metrics_path__: /xen }
- targets: [guest1, 'guest2:1']
- targets: [guest3]
  labels: { __metrics_path__: /xen }
`;
    expect(read(yaml)).toEqual([
      'host https://dom0:28697/xen',
      'guest http://guest1:28697/metrics',
      'guest http://guest2:1/metrics',
      'guest http://guest3:28697/xen',
    ]);
    expect(read('[{"targets":["dom0"],"labels":{"xen_role":"host"}}]')).toEqual(['host http://dom0:28697/metrics']);
  });

  test.each([
    ['targets: [a]', 'expected a file_sd file of Prometheus: a list of targets and labels'],
    ['- targets: a', '0.targets'],
    ['- targets: ["a b"]', 'expected HOST:PORT, found "a b"'],
    ['- [', '--targets='],
  ])('%j is none', (text, message) => {
    expect(() => read(text)).toThrow(message);
  });
});

describe('the page of a peer', () => {
  const ours = 'xen_exporter_build_info{version="1"} 1\n';

  const ask = async (listener: RequestListener, access: Partial<PeerAccess> = {}, seconds = 5): Promise<string> => {
    const server = createServer(listener).listen(0, '127.0.0.1');
    await once(server, 'listening');
    onTestFinished(() => {
      server.closeAllConnections();
      server.close();
    });
    const peer = parsePeer(`127.0.0.1:${(server.address() as AddressInfo).port}`, true)!;
    return readPeer(peer, { tls: {}, ...access }, { seconds, signal: new AbortController().signal });
  };

  test('is read with user, password and the time that there is', async () => {
    let headers: Record<string, unknown> = {};
    const listener: RequestListener = (request, response) => {
      headers = request.headers;
      response.end(ours);
    };
    expect(await ask(listener, { user: 'me', password: 'se:cret' })).toBe(ours);
    expect(headers).toMatchObject({
      authorization: `Basic ${Buffer.from('me:se:cret').toString('base64')}`,
      'x-prometheus-scrape-timeout-seconds': '5',
    });
  });

  test.each<[string, RequestListener]>([
    ['it asks for another user or password (401); see --user and --password-file', (_, r) => r.writeHead(401).end()],
    ['it refuses this client (403)', (_, r) => r.writeHead(403).end()],
    ['it has no page of metrics at this path (404)', (_, r) => r.writeHead(404).end()],
    ['expected the status 200, found 301', (_, r) => r.writeHead(301, { Location: '/' }).end()],
    ['its page is not that of xen-exporter', (_, r) => r.end('node_load1 1\n')],
  ])('%s', async (message, listener) => {
    await expect(ask(listener)).rejects.toThrow(message);
  });

  test('is refused beyond 64 MiB, however much more would come', async () => {
    const megabyte = Buffer.alloc(1 << 20, '#\n');
    let sent = 0;
    const endless: RequestListener = (_, response) => {
      const send = (): void => {
        while (!response.destroyed && response.write(megabyte)) sent += 1;
      };
      response.on('drain', send);
      send();
    };
    await expect(ask(endless, {}, 60)).rejects.toThrow('its page is larger than 67108864 bytes');
    expect(sent).toBeLessThan(200);
  });

  test('that does not come in time is refused', async () => {
    await expect(ask(() => {}, {}, 0.2)).rejects.toThrow('no answer within 0.2 s');
    const begun: RequestListener = (_, response) => void response.write(ours);
    await expect(ask(begun, {}, 0.2)).rejects.toThrow('no answer within 0.2 s');
  });

  test('that ends before it should is refused', async () => {
    const cut: RequestListener = (_, response) => {
      response.writeHead(200, { 'Content-Length': 1000 });
      response.write(ours, () => response.destroy());
    };
    await expect(ask(cut)).rejects.toThrow(/aborted|hang up|reset/);
  });
});
