import { beforeEach, expect, test } from 'vitest';
import { FileError, FileTree } from '../../../src/host/file-tree.ts';
import { resting, type Exchange } from '../../../src/host/helper/blocking-client.ts';
import { copiesOfTree, TreeWithHelper } from '../../../src/host/helper/remote-files.ts';
import { encodeFrame, type FilesAnswer } from '../../../src/host/helper/protocol.ts';
import { fakeClock } from '../../../tools/lib/fake-host.ts';

const clock = fakeClock();
let requests: string[];
let answer: FilesAnswer;
let debugfs: TreeWithHelper;
let procfs: TreeWithHelper;

const exchange: Exchange = (request) => {
  requests.push(request);
  return Buffer.concat([encodeFrame('alive'), encodeFrame('answer', JSON.stringify(answer))]);
};
const treeOver = (tree: 'debugfs' | 'procfs', root: string, by: Exchange) =>
  new TreeWithHelper(new FileTree(root), copiesOfTree(tree, by, clock));

beforeEach(() => {
  requests = [];
  answer = {
    files: { 'xen-netback/vif1.0/io_ring_q0': 'first', 'xen-netback/vif1.0/io_ring_q1': 'Grüße' },
    failures: { 'xen-netback/vif2.0/io_ring_q0': 'EPERM', 'xen-netback/vif3.0': 'ENOENT' },
  };
  // The helper sends one character per byte.
  answer = JSON.parse(JSON.stringify(answer), (_key, value: unknown) =>
    typeof value === 'string' ? Buffer.from(value).toString('latin1') : value,
  ) as FilesAnswer;
  debugfs = treeOver('debugfs', '/sys/kernel/debug', exchange);
  procfs = treeOver('procfs', '/proc', exchange);
});

test('all files are asked for at once, and each is given once: whoever reads it again reads it anew', () => {
  expect(debugfs.list('xen-netback')).toEqual(['vif1.0', 'vif2.0', 'vif3.0']);
  expect(debugfs.list('xen-netback/vif1.0')).toEqual(['io_ring_q0', 'io_ring_q1']);
  expect(debugfs.cachedText('xen-netback/vif1.0/io_ring_q0')).toBe('first');
  expect(debugfs.text('xen-netback/vif1.0/io_ring_q1')).toBe('Grüße');
  expect(requests).toEqual(['netback-rings\n']);
  answer = { files: { 'xen-netback/vif1.0/io_ring_q0': 'second' }, failures: {} };
  expect(debugfs.cachedText('xen-netback/vif1.0/io_ring_q0')).toBe('second');
  expect(debugfs.cachedText('xen-netback/vif1.0/io_ring_q0')).toBe('second');
  expect(requests).toHaveLength(3);
});

test('a copy is not kept for long', () => {
  debugfs.cachedText('xen-netback/vif1.0/io_ring_q0');
  clock.advance(0.2);
  debugfs.cachedText('xen-netback/vif1.0/io_ring_q1');
  expect(requests).toHaveLength(1);
  clock.advance(0.2);
  debugfs.cachedText('xen-netback/vif1.0/io_ring_q1');
  expect(requests).toHaveLength(2);
});

test('what the helper cannot read fails as it would here', () => {
  const failure = (code: string, path: string) =>
    new FileError(`/sys/kernel/debug/${path}`, code, `${code} (read by the helper)`);
  const ring = 'xen-netback/vif2.0/io_ring_q0';
  expect(() => debugfs.text(ring)).toThrow(failure('EPERM', ring));
  expect(() => debugfs.list('xen-netback/vif3.0')).toThrow(failure('ENOENT', 'xen-netback/vif3.0'));
  expect(debugfs.textIfAny('xen-netback/vif9.0/io_ring_q0')).toBeUndefined();
  answer = { files: {}, failures: { 'xen-netback': 'EACCES' } };
  clock.advance(1);
  expect(() => debugfs.list('xen-netback')).toThrow(failure('EACCES', 'xen-netback'));
});

test('other files are read here, and no helper is asked', () => {
  expect(procfs.text('self/comm')).toBe(new FileTree('/proc').text('self/comm'));
  expect(procfs.exists('self')).toBe(true);
  expect(procfs.linkIfAny('self')).toMatch(/^\d+$/);
  expect(() => debugfs.text('no-such-file')).toThrow('/sys/kernel/debug/no-such-file');
  expect(requests).toEqual([]);
});

test('whether a file exists is known of the last reading', () => {
  answer = { files: { timer_list: 'jiffies: 1' }, failures: {} };
  expect(procfs.exists('timer_list')).toBe(false);
  expect(procfs.text('timer_list')).toBe('jiffies: 1');
  expect(procfs.exists('timer_list')).toBe(true);
});

test('the deadline of a scrape holds for these files too', () => {
  const late = debugfs.with((path) => {
    throw new Error(`too late for ${path}`);
  });
  for (const read of [
    () => late.cachedText('xen-netback/a'),
    () => late.list('xen-netback'),
    () => late.exists('xen-netback/a'),
  ]) {
    expect(read).toThrow('too late for /sys/kernel/debug/xen-netback');
  }
  expect(requests).toEqual([]);
});

test('a helper that does not answer: an error that says so, and no wait for it for twenty times as long', () => {
  let asked = 0;
  const hung = resting(() => {
    asked += 1;
    clock.advance(1);
    throw new Error('recv /run/x.sock: no answer within 1 s');
  }, clock);
  const tree = treeOver('debugfs', '/sys/kernel/debug', hung);
  const read = () => tree.cachedText('xen-netback/vif1.0/io_ring_q0');
  const error = new FileError(
    '/sys/kernel/debug/xen-netback/vif1.0/io_ring_q0',
    'EHELPER',
    'the helper does not answer: recv /run/x.sock: no answer within 1 s',
  );
  for (let reads = 0; reads < 5; reads += 1) expect(read).toThrow(error);
  expect(asked).toBe(1);
  clock.advance(19.9);
  expect(read).toThrow(error);
  expect(asked).toBe(1);
  clock.advance(0.2);
  expect(read).toThrow(error);
  expect(asked).toBe(2);
});

test('an answer that is none', () => {
  for (const [frame, message] of [
    [encodeFrame('refusal', 'no'), 'expected an answer, found refusal: no'],
    [Buffer.from('HTTP/1.1'), 'expected a frame of a helper, found 485454502f'],
    [Buffer.alloc(0), 'expected an answer, found none'],
  ] as const) {
    const tree = treeOver('debugfs', '/d', () => frame);
    expect(() => tree.text('xen-netback/vif1.0/io_ring_q0')).toThrow(`the helper does not answer: ${message}`);
  }
});
