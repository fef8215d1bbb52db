import { NEIGHBOUR, type Fault, type Scene } from './fault.ts';

/** Few and dear, so that each is done with before the next comes. Upon a guest with one vCPU, and so one queue: what comes to two is not even. */
const begin = (scene: Scene): Promise<void> => scene.filter(scene.neighbour, 20_000);
const load = (scene: Scene, perSecond: number): Promise<string> => scene.load('apart', 9, perSecond, scene.neighbour);
/** Of its time, that the vCPU is to spend in interrupts: more than the threshold, and not so much that packets wait for each other. */
const SHARE = 0.45;
const MOST_PER_SECOND = 200;

/** Share of four seconds, a minute of the rules, that the vCPU spent in interrupts: as the rules have it, what Xen gave it and no task had. */
const interrupts = async (scene: Scene): Promise<number> => {
  const look = async (): Promise<{ at: number; spent: number }> => {
    const seen = await scene.neighbour.run(
      `cut -d' ' -f1 /proc/uptime; awk '/^cpu0 / { print ($2 + $3 + $4) / 100 }' /proc/stat`,
    );
    const [at = NaN, tasks = NaN] = seen.trim().split('\n').map(Number);
    return { at, spent: Number(await scene.dom0.run(`xl list ${NEIGHBOUR} | awk 'END { print $NF }'`)) - tasks };
  };
  const from = await look();
  await scene.neighbour.run('sleep 4');
  const to = await look();
  return (to.spent - from.spent) / (to.at - from.at);
};

export const packetStorm: Fault = {
  name: 'packet-storm',
  title: 'packets that come one by one, each with an interrupt',
  expected: { alert: 'XenEventChannelStorm', severity: 'warning', domain: NEIGHBOUR },
  /** What a packet costs changes by a half from one boot and minute to the next: more of them, until it is enough. */
  async inject(scene) {
    await begin(scene);
    for (let perSecond = 32; perSecond <= MOST_PER_SECOND; perSecond *= 1.25) {
      const pid = await load(scene, perSecond);
      // Twice: the first look above it is often one that exaggerates.
      if ((await interrupts(scene)) >= SHARE && (await interrupts(scene)) >= SHARE) return;
      await scene.stop(pid);
    }
    throw new Error(`${NEIGHBOUR} does ${MOST_PER_SECOND} packets a second with ease`);
  },
  async nearMiss(scene) {
    await begin(scene);
    await load(scene, 5);
  },
  /** Shed in Dom0, before it costs an event. */
  async mitigate(scene) {
    await scene.dom0.run(`vif=vif$(xl domid ${NEIGHBOUR}).0
      tc qdisc add dev $vif clsact
      tc filter add dev $vif egress protocol ip flower ip_proto udp action police pkts_rate 5 pkts_burst 5 conform-exceed drop`);
  },
  async undo(scene) {
    await scene.unfilter(scene.neighbour);
    await scene.dom0.run(`tc qdisc del dev vif$(xl domid ${NEIGHBOUR}).0 clsact 2>/dev/null || :`);
  },
};
