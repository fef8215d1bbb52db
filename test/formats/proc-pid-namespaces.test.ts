import { expect, test } from 'vitest';
import { parseTcpInUse } from '../../src/formats/proc-net-sockstat.ts';
import { parsePidCgroup } from '../../src/formats/proc-pid-cgroup.ts';
import { parseNamespaceMounts } from '../../src/formats/proc-pid-mountinfo.ts';
import { readText } from '../../tools/lib/fixture.ts';

test('cgroups: one line for each hierarchy', () => {
  const scope = '/system.slice/docker-c0ffeec0ffeec0ffeec0ffeec0ffeec0ffeec0ffeec0ffeec0ffeec0ffeebeef.scope';
  expect(parsePidCgroup(readText('linux-6.18/proc-pid-cgroup'))).toEqual([
    scope,
    '/',
    '/',
    '/',
    '/',
    scope,
    '/',
    '/',
    '/',
    scope,
  ]);
  expect(parsePidCgroup('')).toEqual([]);
});

test('a broken line of cgroups costs one hierarchy', () => {
  expect(parsePidCgroup('hello\n\n0::/a\n', () => {})).toEqual(['/a']);
});

test('a path of a cgroup may hold colons', () => {
  expect(parsePidCgroup('0::/a:b\n')).toEqual(['/a:b']);
});

test.each([
  ['0::/', 'expected a line end at the end of the file, found "0::/"'],
  ['cpu:/\n', 'expected a line "0::/...", found "cpu:/"'],
])('no cgroups: %j', (text, message) => expect(() => parsePidCgroup(text)).toThrow(message));

test('mounts of network namespaces, and of nothing else; a space in a name is escaped', () => {
  expect(parseNamespaceMounts(readText('linux-6.18/proc-pid-mountinfo'))).toEqual([
    { inode: 4026532177, mountPoint: '/run/netns/blue' },
    { inode: 4026532246, mountPoint: '/run/netns/my shop' },
  ]);
});

test('TCP sockets in use, of both families', () => {
  expect(['sockstat', 'sockstat6'].map((name) => parseTcpInUse(readText(`linux-6.18/proc-net-${name}`)))).toEqual([
    34, 0,
  ]);
  expect(() => parseTcpInUse('sockets: used 3\n')).toThrow('expected a line "TCP: inuse ..."');
});
