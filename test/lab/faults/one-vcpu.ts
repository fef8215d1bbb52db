import { VICTIM, type Fault, type Scene } from './fault.ts';

/** Filters that no packet matches make each as dear as a firewall would. */
const filters = 4000;
const rules = `tc qdisc add dev eth0 ingress
  for n in $(seq ${filters}); do echo "filter add dev eth0 parent ffff: protocol ip prio 1 u32 match ip src 192.0.2.$((n % 256)) match ip dport $((1000 + n)) 0xffff action pass"; done | tc -batch -`;

const begin = async (scene: Scene, perSecond: number): Promise<void> => {
  await scene.victim.run(
    `for irq in $(awk -F: '/vif0-q.-rx/ { print $1 + 0 }' /proc/interrupts); do echo 1 >/proc/irq/$irq/smp_affinity; done; ${rules}`,
  );
  await scene.load('packets', 9, perSecond);
};

export const oneVcpu: Fault = {
  name: 'one-vcpu',
  title: 'all interrupts of the vif on one vCPU, which has no more time',
  expected: { alert: 'XenVifInterruptsOnOneVcpu', severity: 'warning', domain: VICTIM },
  inject: (scene) => begin(scene, 3000),
  nearMiss: (scene) => begin(scene, 50),
  async undo(scene) {
    await scene.victim.run('tc qdisc del dev eth0 ingress');
  },
};
