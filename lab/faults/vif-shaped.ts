import { VICTIM, type Fault, type Scene } from './fault.ts';

/** Some fifty small packets a second get through. All other traffic bypasses the shaper. */
const begin = async (scene: Scene, perSecond: number): Promise<void> => {
  await scene.dom0.run(`vif=vif$(xl domid ${VICTIM}).0
    tc qdisc replace dev $vif root handle 1: prio
    tc qdisc add dev $vif parent 1:3 tbf rate 24kbit burst 1540 limit 1540
    tc filter add dev $vif parent 1: protocol ip prio 1 flower ip_proto udp classid 1:3
    tc filter add dev $vif parent 1: protocol all prio 2 matchall classid 1:1`);
  await scene.load('packets', 9, perSecond);
};

const unshape = async (scene: Scene): Promise<void> => {
  await scene.dom0.run(`tc qdisc del dev vif$(xl domid ${VICTIM}).0 root 2>/dev/null || :`);
};

export const vifShaped: Fault = {
  name: 'vif-shaped',
  title: "a shaper on the guest's vif that drops",
  expected: { alert: 'XenVifDropping', severity: 'warning', domain: VICTIM },
  inject: (scene) => begin(scene, 200),
  nearMiss: (scene) => begin(scene, 20),
  mitigate: unshape,
  undo: unshape,
};
