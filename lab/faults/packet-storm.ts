import { NEIGHBOUR, type Fault, type Scene } from './fault.ts';

/**
 * Few expensive packets: each is handled before the next arrives, even if Xen delays both domains by some 30 ms. The
 * guest has one vCPU, and so one queue: load on two queues is uneven.
 */
const begin = (scene: Scene): Promise<void> => scene.filter(scene.neighbour, 10_000, 16);
const load = (scene: Scene, perSecond: number): Promise<string> => scene.load('apart', 9, perSecond, scene.neighbour);
/** Share of vCPU time in interrupts: above the threshold, but low enough that packets do not queue. */
const SHARE = 0.45;
/** Interrupts per packet, above the threshold. */
const EACH = 0.8;
const MOST_PER_SECOND = 100;

/**
 * Whether the vCPU spends this share in interrupts with nearly one packet each, over four seconds, a minute of rules'
 * time. As in the rules, interrupts take the time that Xen gave the vCPU and no task used.
 */
const isStorm = async (scene: Scene): Promise<boolean> => {
  const look = async () => {
    const seen = await scene.neighbour.run(`cut -d' ' -f1 /proc/uptime
      awk '/^cpu0 / { print ($2 + $3 + $4) / 100 }' /proc/stat
      awk '/vif0-.*rx/ { print $2 }' /proc/interrupts
      cat /sys/class/net/eth0/statistics/rx_packets`);
    const [at = NaN, tasks = NaN, interrupts = NaN, packets = NaN] = seen.trim().split('\n').map(Number);
    const given = Number(await scene.dom0.run(`xl list ${NEIGHBOUR} | awk 'END { print $NF }'`));
    return { at, spent: given - tasks, interrupts, packets };
  };
  const from = await look();
  await scene.neighbour.run('sleep 4');
  const to = await look();
  const share = (to.spent - from.spent) / (to.at - from.at);
  return share >= SHARE && to.interrupts - from.interrupts >= EACH * (to.packets - from.packets);
};

export const packetStorm: Fault = {
  name: 'packet-storm',
  title: 'packets that come one by one, each with an interrupt',
  expected: { alert: 'XenEventChannelStorm', severity: 'warning', domain: NEIGHBOUR },
  /** The cost of a packet varies by half between boots and minutes. Increase the rate until it suffices. */
  async inject(scene) {
    await begin(scene);
    for (let perSecond = 8; perSecond <= MOST_PER_SECOND; perSecond *= 1.25) {
      const pid = await load(scene, perSecond);
      // Check twice: the first result above it is often too high.
      if ((await isStorm(scene)) && (await isStorm(scene))) return;
      await scene.stop(pid);
    }
    throw new Error(`${MOST_PER_SECOND} packets a second do not cause a storm in ${NEIGHBOUR}`);
  },
  async nearMiss(scene) {
    await begin(scene);
    await load(scene, 3);
  },
  /** Drops the packets in Dom0, before they cost an event. */
  async mitigate(scene) {
    await scene.dom0.run(`vif=vif$(xl domid ${NEIGHBOUR}).0
      tc qdisc add dev $vif clsact
      tc filter add dev $vif egress protocol ip flower ip_proto udp action police pkts_rate 3 pkts_burst 3 conform-exceed drop`);
  },
  async undo(scene) {
    await scene.unfilter(scene.neighbour);
    await scene.dom0.run(`tc qdisc del dev vif$(xl domid ${NEIGHBOUR}).0 clsact 2>/dev/null || :`);
  },
};
