import { NEIGHBOUR, type Fault, type Scene } from './fault.ts';

/** Few and dear, so that each is done with before the next comes. Upon a guest with one vCPU, and so one queue: what comes to two is not even. */
const begin = async (scene: Scene, perSecond: number): Promise<void> => {
  await scene.filter(scene.neighbour, 20_000);
  await scene.load('packets', 9, perSecond, scene.neighbour);
};

export const packetStorm: Fault = {
  name: 'packet-storm',
  title: 'packets that come one by one, each with an interrupt',
  expected: { alert: 'XenEventChannelStorm', severity: 'warning', domain: NEIGHBOUR },
  inject: (scene) => begin(scene, 80),
  nearMiss: (scene) => begin(scene, 6),
  /** Shed in Dom0, before it costs an event. */
  async mitigate(scene) {
    await scene.dom0.run(`vif=vif$(xl domid ${NEIGHBOUR}).0
      tc qdisc add dev $vif clsact
      tc filter add dev $vif egress protocol ip flower ip_proto udp action police pkts_rate 6 pkts_burst 6 conform-exceed drop`);
  },
  async undo(scene) {
    await scene.unfilter(scene.neighbour);
    await scene.dom0.run(`tc qdisc del dev vif$(xl domid ${NEIGHBOUR}).0 clsact 2>/dev/null || :`);
  },
};
