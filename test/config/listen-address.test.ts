import { expect, test } from 'vitest';
import { parseListenAddress } from '../../src/config/listen-address.ts';

test.each([
  [':28697', { host: '', port: 28697 }],
  ['127.0.0.1:0', { host: '127.0.0.1', port: 0 }],
  ['[::1]:9100', { host: '::1', port: 9100 }],
  ['localhost:9100', { host: 'localhost', port: 9100 }],
  ['unix:/run/xen exporter.sock', { path: '/run/xen exporter.sock' }],
  ['unix:run/x.sock', undefined],
  ['unix:/', undefined],
  [`unix:/${'x'.repeat(107)}`, undefined],
  ['28697', undefined],
  ['::1:9100', undefined],
  [':65536', undefined],
  ['a b:1', undefined],
])('address %s', (text, address) => expect(parseListenAddress(text)).toEqual(address));
