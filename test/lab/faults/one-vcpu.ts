import { VICTIM, type Fault, type Scene } from './fault.ts';

const interrupts = "$(awk -F: '/vif0-q.-rx/ { print $1 + 0 }' /proc/interrupts)";

const begin = async (scene: Scene, perSecond: number): Promise<void> => {
  await scene.victim.run(`for irq in ${interrupts}; do echo 1 >/proc/irq/$irq/smp_affinity; done`);
  await scene.filter(scene.victim, 16_000);
  // Of several senders, which the kernel can tell apart.
  for (let sender = 0; sender < 4; sender += 1) await scene.load('packets', 9, perSecond / 4);
};

export const oneVcpu: Fault = {
  name: 'one-vcpu',
  title: 'all interrupts of the vif on one vCPU, which has no more time',
  expected: { alert: 'XenVifInterruptsOnOneVcpu', severity: 'warning', domain: VICTIM },
  inject: (scene) => begin(scene, 300),
  nearMiss: (scene) => begin(scene, 16),
  /** One vCPU for each queue, and packets sorted among them. */
  async mitigate(scene) {
    await scene.victim.run(`cpu=0
      for irq in ${interrupts}; do echo $((cpu % $(nproc))) >/proc/irq/$irq/smp_affinity_list; cpu=$((cpu + 1)); done
      for queue in /sys/class/net/eth0/queues/rx-*/rps_cpus; do echo 3 >$queue; done`);
  },
  async undo(scene) {
    await scene.unfilter(scene.victim);
    await scene.victim.run('for queue in /sys/class/net/eth0/queues/rx-*/rps_cpus; do echo 0 >$queue; done');
  },
};
