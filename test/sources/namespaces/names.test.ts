import { expect, test } from 'vitest';
import { NamespaceNames } from '../../../src/sources/namespaces/names.ts';
import { FileTree } from '../../../src/host/file-tree.ts';
import { readText } from '../../../tools/lib/fixture.ts';
import { TempTree } from '../../../tools/lib/fake-host.ts';

const containerId = 'c0ffee00'.repeat(8);
const pod = 'kubepods-burstable-pod0b7632a2_a56e_4278_987a_22de18008dbe.slice';

const nameOf = (cgroup: string, inode: number | undefined = 1): string => {
  using tree = new TempTree().write({
    'self/mountinfo': readText('linux-6.18/proc-pid-mountinfo'),
    '7/cgroup': `0::${cgroup}\n`,
  });
  const names = new NamespaceNames(new FileTree(tree.root));
  names.refresh();
  return names.take('4026532999', inode, '7');
};

// As the tools' documentation and sources name them.
test.each([
  ['Docker', `/system.slice/docker-${containerId}.scope`, `docker-${containerId}.scope`],
  ['Docker with cgroupfs', `/docker/${containerId}`, containerId],
  ['systemd in Docker', `/system.slice/docker-${containerId}.scope/init.scope`, `docker-${containerId}.scope`],
  ['Podman', `/machine.slice/libpod-${containerId}.scope/container`, `libpod-${containerId}.scope`],
  [
    'rootless Podman',
    `/user.slice/user-1000.slice/user@1000.service/user.slice/libpod-${containerId}.scope`,
    `libpod-${containerId}.scope`,
  ],
  ['a pod', `/kubepods.slice/kubepods-burstable.slice/${pod}/cri-containerd-${containerId}.scope`, pod],
  [
    'a pod with cgroupfs',
    `/kubepods/besteffort/pod729d2f46-480d-4796-a76c-e227e2671d31/${containerId}`,
    'pod729d2f46-480d-4796-a76c-e227e2671d31',
  ],
  ['LXC', '/lxc.payload.web/system.slice/nginx.service', 'lxc.payload.web'],
  ['LXC before 4', '/lxc/web/init.scope', 'web'],
  ['systemd-nspawn', '/machine.slice/systemd-nspawn@web.service/payload', 'systemd-nspawn@web.service'],
  ['systemd-machined', '/machine.slice/machine-my\\x2dbox.scope', 'machine-my\\x2dbox.scope'],
  ['a service with PrivateNetwork=', '/system.slice/systemd-hostnamed.service', 'systemd-hostnamed.service'],
  ['a login', '/user.slice/user-1000.slice/session-3.scope', '4026532999'],
  ['a user manager', '/user.slice/user-1000.slice/user@1000.service/init.scope', '4026532999'],
  ['no cgroup', '/', '4026532999'],
])('%s', (_, cgroup, name) => expect(nameOf(cgroup)).toBe(name));

test('what ip netns named goes by that, unless it is a container', () => {
  expect(nameOf('/system.slice/web.service', 4026532177)).toBe('blue');
  expect(nameOf(`/docker/${containerId}`, 4026532177)).toBe(containerId);
});

test.each(['$(reboot).service', '-r.service', 'a b.service', `${'x'.repeat(200)}.service`])(
  'a name that could do harm in a shell, or is too long, is none: %s',
  (name) => expect(nameOf(`/system.slice/${name}`)).toBe('4026532999'),
);
test.each(['lxc.payload.web@4026532177', 'lxc.payload.web@proc:4026532177'])(
  'nor is one that ends in an id, which is the label of another namespace: %s',
  (name) => expect(nameOf(`/${name}`)).toBe('4026532999'),
);
test.each(['4026532177', 'proc:4026532177'])('nor is an id: %s', (name) =>
  expect(nameOf(`/lxc/${name}`)).toBe('4026532999'),
);
test('a short number is a name', () => expect(nameOf('/lxc/100')).toBe('100'));
test('nor is one of ip netns', () => expect(nameOf('/', 4026532246)).toBe('4026532999'));

test('of two with one name the second has its id behind, until the first is gone', () => {
  using tree = new TempTree().write({ '7/cgroup': '0::/lxc.payload.web\n' });
  const names = new NamespaceNames(new FileTree(tree.root));
  expect([names.take('1', 1, '7'), names.take('2', 2, '7')]).toEqual(['lxc.payload.web', 'lxc.payload.web@2']);
  names.release('lxc.payload.web');
  expect(names.take('3', 3, '7')).toBe('lxc.payload.web');
});
