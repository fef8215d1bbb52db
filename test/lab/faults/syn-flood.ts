import { SERVER_PORT, VICTIM, type Fault, type Scene } from './fault.ts';

const begin = async (scene: Scene, perSecond: number): Promise<void> => {
  await scene.serve({ backlog: 128, restMs: 1 });
  await scene.load('syns', SERVER_PORT, perSecond);
};

export const synFlood: Fault = {
  name: 'syn-flood',
  title: 'a SYN flood from many addresses and ports',
  expected: { alert: 'XenSynQueueOverflow', severity: 'warning', domain: VICTIM },
  inject: (scene) => begin(scene, 200),
  /** Each is forgotten after 63 s: the queue holds them. */
  nearMiss: (scene) => begin(scene, 1),
};
