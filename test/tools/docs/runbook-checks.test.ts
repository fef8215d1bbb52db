import dedent from 'dedent';
import { describe, expect, test } from 'vitest';
import { changes, commandFaults, isHalfRun, namesCpus, runbookFaults } from '../../../tools/docs/runbook-checks.ts';

describe('commands that change a machine', () => {
  test.each([
    'xl vcpu-pin "${D:?}" all <CPUS>',
    'xl "sched-$S" -d "${D:?}" -w <WEIGHT>',
    'xl sched-credit -s -p "$P" -t 1',
    'xl sched-credit2 -s -r 500',
    'xl cpupool-cpu-remove "$P" <CPUS>',
    'xl network-detach "${D:?}" 0',
    'xl pci-assignable-add <BDF>',
    'xl unpause "$G"',
    'xe vm-param-set uuid=<UUID> VCPUs-params:weight=<WEIGHT>',
    'modprobe nf_conntrack',
    'sysctl -w net.core.somaxconn=<BACKLOG>',
    'sysctl -q net.core.somaxconn=4096',
    'sysctl -p /run/xen-runbook.XenUplinkDropping',
    'ip link set dev vif$D.0 up',
    'ip -4 route add blackhole 192.0.2.0/24',
    'tc qdisc replace dev vif$D.0 root fq_codel',
    'tc filter add dev vif$D.0 egress protocol ip flower action drop',
    'ethtool -G eth0 rx 4096',
    'iptables -t raw -A PREROUTING -j NOTRACK',
    'nft delete table ip lab',
    'systemctl restart xen-exporter',
    'systemctl try-restart <UNIT>',
    'systemctl --now disable irqbalance',
    'kill -CONT <PID>',
    'for p in $(pidof nginx); do kill $p; done',
    'renice -n -10 -p <PID>',
    'prlimit --pid <PID> --nofile=65536:65536',
    'chrt -o -p 0 <PID>',
    'taskset -pc \'<CPUS>\' "$p"',
    'xenstore-write /local/domain/0/backend/vif/$D/0/rate <RATE>',
    'xenhypfs write /params/gnttab_max_frames 128',
    'rm /etc/nginx/nginx.conf',
    'cp /root/nginx.conf /etc/nginx/nginx.conf',
    "sed -i 's/a/b/' /etc/default/grub",
    'apt-get install irqbalance',
    'echo 1 > /sys/class/net/eth0/threaded',
    'cat /run/max_queues > /sys/module/xen_netback/parameters/max_queues',
    "cd /sys/kernel/tracing && echo 'p:gnt/copy gnttab_batch_copy' >> kprobe_events",
    "setsid sh -c 'ip link set eth0 down' &",
    'reboot',
  ])('%s', (command) => {
    expect(changes(command)).toBe(true);
  });
});

describe('commands that only read, or write files of the reader', () => {
  test.each([
    'xl vcpu-list',
    'xl list -l "$D" | grep \'"type"\'',
    'xl "sched-$S" -d "${D:?}" > /run/xen-runbook.XenVcpuStarved.weight',
    'xl sched-credit -s -p "$P"',
    'xl sched-credit; xl sched-credit2',
    'xl cpupool-list -c',
    'xl network-list "$D"',
    'xl pci-assignable-list',
    'xl info xen_scheduler',
    'xe vm-list params=uuid,name-label',
    'sysctl net.core.somaxconn net.core.netdev_budget > /run/xen-runbook.sysctl',
    'sysctl -n net.core.netdev_budget',
    'ip -s -s link',
    'ip -s link show vif$D.0',
    'tc -s qdisc show dev vif$D.0',
    'ethtool -g eth0',
    'ethtool -k eth0 | grep -e ^tcp-segm',
    'ethtool -S eth0',
    'iptables -L -n',
    'nft list ruleset',
    'systemctl status xen-exporter-dom0',
    'systemctl show -p MainPID --value <UNIT>',
    'kill -0 <PID>',
    'ps -eo psr,ni,time,comm | grep -e COMMAND -e guest-rx',
    'chrt -p <PID>',
    'for p in $(pgrep "^vif$D[.]0-q"); do taskset -pc $p; done',
    'xenstore-ls /local/domain/0/backend/vif/$D | grep -e rate',
    'xenhypfs cat /params/gnttab_max_frames',
    'grep . /sys/kernel/debug/xen-netback/vif$D.*/io_ring_q*',
    'cat /proc/sys/net/bridge/bridge-nf-call-iptables 2>/dev/null || echo off',
    'awk \'$2 > $3 / 2 { print $2 > "/dev/stderr" }\' /proc/net/softnet_stat',
    "dmesg | grep -e 'kill' -e 'modprobe'",
    'rm /run/xen-runbook.XenUplinkDropping',
    'cp -a /etc/nginx/nginx.conf /root/nginx.conf.before',
    'ss -ltnp > /tmp/listeners 2>&1',
    'nsenter --net=<NAMESPACE> ss -ltn',
    'mount | grep debugfs',
    'curl -sS http://localhost:28697/-/healthy',
    `G='web server'; D=$(xl domid "$G")`,
  ])('%s', (command) => {
    expect(changes(command)).toBe(false);
  });
});

test.each([
  ['xl vcpu-pin "$D" all 2-3', true],
  ['xl vcpu-pin "$D" all 3', true],
  ['xl vcpu-pin "$D" all all \'4,5\'', true],
  ['xl cpupool-cpu-remove Pool-0 3', true],
  [`xl cpupool-create 'name="latency"' 'cpus=["3"]'`, true],
  ['taskset -pc 0-1 $p', true],
  ['taskset -pc 3 $p', true],
  ['echo 3 > /sys/class/net/eth0/queues/rx-0/rps_cpus', true],
  ['echo 1 > /sys/devices/system/cpu/cpu1/online', true],
  ['xl vcpu-pin "$D" all \'all,^<DOM0_CPUS>\'', false],
  ['xl vcpu-pin "$D" all all', false],
  ['xl cpupool-cpu-remove "$P" <CPUS>', false],
  ['taskset -pc 322', false],
  ['taskset -pc "$((n % $(nproc)))" "$p"', false],
  ['grep -lF docker /proc/[0-9]*/cgroup', false],
  ['grep . /sys/bus/xen-backend/devices/vif-1-0/xenbus/events', false],
  ['cat /proc/irq/default_smp_affinity > /proc/irq/$irq/smp_affinity', false],
])('%s names CPUs of one machine: %s', (command, expected) => {
  expect(namesCpus(command)).toBe(expected);
});

test.each([
  ['xl vcpu-pin "$D" all <CPUS>', false],
  ['taskset -pc \'<CPUS>\' "$p"', false],
  ['for v in 1 2; do xl vcpu-pin "$D" "$v" <CPUS>; done', false],
  ['echo <QUEUES> > /sys/module/xen_netback/parameters/max_queues', false],
  ['taskset -pc <CPUS> "$p"', true],
  ['ethtool -G <IFACE> rx 4096', true],
])('the shell runs a part of %s: %s', (command, expected) => {
  expect(isHalfRun(command)).toBe(expected);
});

const fence = '```';
/** A page without faults. */
const good = dedent`
  # XenThing

  ## First minute

  ${fence}console
  dom0# G='domu1'; D=$(xl domid "$G")
  dom0# xl list "$D"
  ${fence}

  ## Is it this?

  | What you see | Then it is | Page |
  | ------------ | ---------- | ---- |
  | nothing      | nothing    | none |

  ## Stop the harm

  1. **Save**

     ${fence}console
     dom0# xl vcpu-list "\${D:?}" > /run/xen-runbook.XenThing.$D
     ${fence}

  2. **Do**

     ${fence}console
     dom0# xl vcpu-pin "\${D:?}" all <CPUS>
     ${fence}

  3. **Verify**

     ${fence}console
     dom0# xl vcpu-list "$D"
     ${fence}

  4. **Undo**

     ${fence}console
     dom0# xl vcpu-pin "\${D:?}" all "$(cat /run/xen-runbook.XenThing.$D)"
     ${fence}

  ## Escalate

  ## For good

  **Trade-off:** none.

  ## Background
`;

describe('a page', () => {
  test('that has nothing wrong', () => {
    expect(runbookFaults(good)).toEqual([]);
  });

  test.each([
    ['without a section', '## Escalate\n', '', 'expected the sections First minute, Is it this?'],
    [
      'with sections in another order',
      '## Escalate',
      '## For better',
      'expected the sections First minute, Is it this?',
    ],
    ['without a trade-off', '**Trade-off:** none.', '', 'expected a trade-off in "For good"'],
    [
      'without Save',
      '1. **Save**',
      '1. Then',
      'expected Save, Do, Verify, Undo for each measure, found Do, Verify, Undo',
    ],
    [
      'without Undo',
      '4. **Undo**',
      '4. Then',
      'expected Save, Do, Verify, Undo for each measure, found Save, Do, Verify',
    ],
    [
      'that verifies before it does',
      '2. **Do**',
      '2. **Verify**',
      'expected Save, Do, Verify, Undo for each measure, found Save, Verify, Verify, Undo',
    ],
    [
      'that changes something in its first minute',
      'dom0# xl list "$D"',
      'dom0# modprobe nf_conntrack',
      'dom0# modprobe nf_conntrack: changes something in "First minute"; only Do and Undo may',
    ],
    [
      'that changes something while it saves',
      'dom0# xl vcpu-list "${D:?}" > /run',
      'dom0# xl vcpu-pin "${D:?}" all all > /run',
      'changes something in "Save"; only Do and Undo may',
    ],
    ['with CPUs of its lab', '<CPUS>', '2-3', 'names CPUs of one machine'],
    ['with an unknown placeholder', '<CPUS>', '<THING>', 'has unknown placeholders: THING'],
    [
      'with a placeholder in the way',
      'all <CPUS>',
      '<CPUS> all',
      'has a placeholder that the shell reads as a redirection',
    ],
    ['that cuts names', 'dom0# xl list "$D"', `dom0# xl list | awk '{ print $2 }'`, 'splits guest names at spaces'],
    ['that names a guest of its lab', 'dom0# xl list "$D"', 'dom0# xl list domu1', 'names a guest of the lab'],
    ['with a name that is not quoted', 'dom0# xl list "$D"', 'dom0# xl list $G', 'has $G outside of quotes'],
    [
      'that would pin Dom0',
      'xl vcpu-pin "${D:?}" all <CPUS>',
      'xl vcpu-pin "$D" all <CPUS>',
      'would use Dom0 as the guest',
    ],
    ['with too many first looks', 'dom0# xl list "$D"', 'dom0# xl list\ndom0# xl info\ndom0# xl top', 'found 3'],
    ['that uses what nothing has set', 'dom0# xl list "$D"', 'dom0# xl list "$P"', 'no earlier command sets P'],
    ['with a command outside of a block', '## Escalate', '## Escalate\n\ndom0# xl list', '1 lines look like commands'],
    ['with a command that is not whole', 'dom0# xl list "$D"', 'dom0# xl list ...', 'has an ellipsis'],
  ])('%s', (_, text, replacement, fault) => {
    expect(good).toContain(text);
    const faults = runbookFaults(good.replace(text, () => replacement));
    expect(faults.join('\n')).toContain(fault);
  });

  test('in a block for what there is not', () => {
    expect(commandFaults(good.replace('```console', '```console moon')).join('\n')).toContain(
      'is in a block for "moon"',
    );
  });

  test('without rows of look-alikes', () => {
    expect(runbookFaults(good.replaceAll(/^\|.*\n/gm, ''))).toEqual([
      'expected a table of three columns in "Is it this?"',
    ]);
  });
});
