import { VICTIM, type Fault, type Scene } from './fault.ts';

const room = 40;
const ampleRoom = 262_144;

/** A firewall that tracks the connections of web servers' clients. The lab's own connections bypass it. */
const firewall = `modprobe nf_conntrack
  nft -f - <<'END'
table ip lab {
  chain raw_out { type filter hook output priority raw; meta l4proto != tcp notrack; tcp dport != 80 notrack; }
  chain raw_in { type filter hook prerouting priority raw; meta l4proto != tcp notrack; tcp sport != 80 notrack; }
  chain out { type filter hook output priority filter; ct state new accept; }
}
END`;

const makeRoom = async (scene: Scene, entries: number): Promise<void> => {
  await scene.dom0.run(`sysctl -q net.netfilter.nf_conntrack_max=${entries}`);
};

/** Open connections to another guest: the kernel evicts closed connections for new ones, but not these. */
const hold = async (scene: Scene): Promise<void> => {
  const { ip } = scene.neighbour;
  // nginx would close silent connections after a minute.
  await scene.neighbour.run('echo "client_header_timeout 1d;" >/etc/nginx/conf.d/hold.conf');
  await scene.start(scene.neighbour, 'exec nginx -g "daemon off;"');
  await scene.neighbour.run('until ss -Hltn | grep -q ":80 "; do sleep 0.1; done');
  await scene.start(
    scene.dom0,
    `exec bash -c "for _ in {1..${room}}; do exec {held}<>/dev/tcp/${ip}/80; done; exec sleep infinity"`,
  );
  await scene.dom0.run(
    `until [ $(ss -Htn state established dst ${ip} dport = :80 | wc -l) -ge ${room} ]; do sleep 0.2; done`,
  );
};

export const conntrackFull: Fault = {
  name: 'conntrack-full',
  title: "a full table of connections in Dom0's firewall",
  expected: {
    alert: 'XenAcceptThroughputCollapse',
    severity: 'critical',
    domain: VICTIM,
    causes: ['XenUplinkDropping'],
    besides: [{ alert: 'XenUplinkDropping', domain: undefined }],
  },
  precondition: 'uuid:xen_accepts_an_hour_ago:min10m > 1',
  async inject(scene) {
    await scene.dom0.run(firewall);
    await hold(scene);
    await makeRoom(scene, room);
  },
  async nearMiss(scene) {
    await scene.dom0.run(firewall);
    await hold(scene);
  },
  mitigate: (scene) => makeRoom(scene, ampleRoom),
  async undo(scene) {
    await scene.dom0.run('nft delete table ip lab');
    await makeRoom(scene, ampleRoom);
  },
};
