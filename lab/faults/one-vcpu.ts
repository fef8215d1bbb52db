import { growth, VICTIM, type Fault, type Scene } from './fault.ts';

const interrupts = "$(awk -F: '/vif0-q.-rx/ { print $1 + 0 }' /proc/interrupts)";
/** Share of time that the vCPU may stay idle: at 0 the exporter gets no packets, and no alert is possible. */
const IDLE = 0.1;
const SENDERS = 40;

/** All interrupts go to vCPU 0, where packets are expensive. Few packets suffice, which Dom0 has time to send. */
const begin = async (scene: Scene): Promise<void> => {
  await scene.victim.run(`for irq in ${interrupts}; do echo 1 >/proc/irq/$irq/smp_affinity; done`);
  await scene.filter(scene.victim, 8000, 12);
};

/** Idle share of vCPU 0 in four seconds, a minute of rules' time. */
const idle = async (scene: Scene): Promise<number> => {
  const look = `cut -d' ' -f1 /proc/uptime; awk '/^cpu0 / { print $5 / 100 }' /proc/stat`;
  const [seconds = NaN, idleSeconds = NaN] = await growth(scene.victim, look, 4);
  return idleSeconds / seconds;
};

export const oneVcpu: Fault = {
  name: 'one-vcpu',
  title: 'all interrupts of the vif on one vCPU, which has no more time',
  expected: { alert: 'XenVifInterruptsOnOneVcpu', severity: 'warning', domain: VICTIM },
  /**
   * The cost of a packet varies by half from minute to minute. Add senders, which the kernel can distinguish, until
   * they suffice.
   */
  async inject(scene) {
    await begin(scene);
    for (let senders = 0; !((await idle(scene)) <= IDLE); senders += 1) {
      if (senders === SENDERS) throw new Error(`vCPU 0 of ${VICTIM} is idle with ${SENDERS} senders`);
      await scene.load('packets', 9, 16);
    }
  },
  async nearMiss(scene) {
    await begin(scene);
    await scene.load('packets', 9, 6);
  },
  /** One vCPU per queue, with packets spread over them. */
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
