import { SERVER_PORT, VICTIM, type Fault, type Scene } from './fault.ts';

const begin = async (scene: Scene, perSecond: number): Promise<void> => {
  await scene.serve({ backlog: 128, restMs: 1 });
  await scene.load('syns', SERVER_PORT, perSecond);
};

const flooding = '10.0.2.128/25';

export const synFlood: Fault = {
  name: 'syn-flood',
  title: 'a SYN flood from many addresses and ports',
  expected: { alert: 'XenSynQueueOverflow', severity: 'warning', domain: VICTIM },
  inject: (scene) => begin(scene, 200),
  /** Blackholes all addresses of the flood, none of which belongs to the lab. */
  async mitigate(scene) {
    await scene.victim.run(`ip route add blackhole ${flooding}`);
  },
  async undo(scene) {
    await scene.victim.run(`ip route del blackhole ${flooding} 2>/dev/null || :`);
  },
  /** Each SYN is forgotten after 63 s, so the queue holds them. */
  nearMiss: (scene) => begin(scene, 1),
};
