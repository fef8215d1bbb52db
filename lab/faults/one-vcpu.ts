import { growth, VICTIM, type Fault, type Scene } from './fault.ts';

const interrupts = "$(awk -F: '/vif0-q.-rx/ { print $1 + 0 }' /proc/interrupts)";
/** Share of its time that the vCPU may keep: with none left nothing reaches the exporter, and nobody could tell. */
const IDLE = 0.1;
const SENDERS = 40;

/** All interrupts on vCPU 0, and packets that are dear there: few are enough, which Dom0 has the time to send. */
const begin = async (scene: Scene): Promise<void> => {
  await scene.victim.run(`for irq in ${interrupts}; do echo 1 >/proc/irq/$irq/smp_affinity; done`);
  await scene.filter(scene.victim, 8000, 12);
};

/** Share of four seconds, a minute of the rules, in which vCPU 0 was idle. */
const idle = async (scene: Scene): Promise<number> => {
  const look = `cut -d' ' -f1 /proc/uptime; awk '/^cpu0 / { print $5 / 100 }' /proc/stat`;
  const [seconds = NaN, idleSeconds = NaN] = await growth(scene.victim, look, 4);
  return idleSeconds / seconds;
};

export const oneVcpu: Fault = {
  name: 'one-vcpu',
  title: 'all interrupts of the vif on one vCPU, which has no more time',
  expected: { alert: 'XenVifInterruptsOnOneVcpu', severity: 'warning', domain: VICTIM },
  /** What a packet costs changes by a half from one minute to the next: senders, which the kernel can tell apart, are added until it is enough. */
  async inject(scene) {
    await begin(scene);
    for (let senders = 0; !((await idle(scene)) <= IDLE); senders += 1) {
      if (senders === SENDERS) throw new Error(`vCPU 0 of ${VICTIM} is idle beside ${SENDERS} senders`);
      await scene.load('packets', 9, 16);
    }
  },
  async nearMiss(scene) {
    await begin(scene);
    await scene.load('packets', 9, 6);
  },
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
