import { VICTIM, type Fault, type Scene } from './fault.ts';

const room = 40;

/** A firewall that follows the connections of the web server's clients, and has room for so many. The lab itself goes past it. */
const firewall = async (scene: Scene, entries: number): Promise<void> => {
  await scene.dom0.run(`modprobe nf_conntrack
    sysctl -q net.netfilter.nf_conntrack_max=${entries}
    nft -f - <<'END'
table ip lab {
  chain raw_out { type filter hook output priority raw; meta l4proto != tcp notrack; tcp dport != 80 notrack; }
  chain raw_in { type filter hook prerouting priority raw; meta l4proto != tcp notrack; tcp sport != 80 notrack; }
  chain out { type filter hook output priority filter; ct state new accept; }
}
END`);
};

export const conntrackFull: Fault = {
  name: 'conntrack-full',
  title: "a full table of connections in Dom0's firewall",
  expected: {
    alert: 'XenAcceptThroughputCollapse',
    severity: 'critical',
    domain: VICTIM,
    causes: ['XenUplinkDropping'],
  },
  async inject(scene) {
    await firewall(scene, room);
    await scene.dom0.run(`until [ $(sysctl -n net.netfilter.nf_conntrack_count) -ge ${room} ]; do sleep 0.2; done`);
  },
  nearMiss: (scene) => firewall(scene, 262_144),
  async undo(scene) {
    await scene.dom0.run('nft delete table ip lab; sysctl -q net.netfilter.nf_conntrack_max=262144');
  },
};
