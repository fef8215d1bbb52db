import { SERVER_PORT, VICTIM, type Fault, type Scene } from './fault.ts';

const backlog = 64;

/**
 * Percent of a CPU. Under credit 60 suffices for the victim after the start. Under credit2 its exporter misses too many
 * scrapes with 45.
 */
const CAPS = { credit: 45, credit2: 75 } as const;

const begin = async (scene: Scene, capPercent: number): Promise<void> => {
  await scene.cap(VICTIM, capPercent);
  await scene.serve({ backlog, restMs: 3 });
  await scene.load('connections', SERVER_PORT, 50);
};

const uncap = (scene: Scene): Promise<void> => scene.cap(VICTIM, 0);

export const capReached: Fault = {
  name: 'cap-reached',
  title: 'a guest that reaches its cap while it accepts',
  /** At its cap the guest's exporter may miss scrapes. */
  expected: {
    alert: 'XenAcceptQueueOverflow',
    severity: 'critical',
    domain: VICTIM,
    causes: ['XenDomainCapReached'],
    besides: [{ alert: 'XenExporterDown', domain: VICTIM }],
  },
  async inject(scene) {
    await begin(scene, CAPS[scene.lab.scheduler]);
    await scene.untilFull(backlog);
  },
  nearMiss: (scene) => begin(scene, 190),
  mitigate: uncap,
  undo: uncap,
};
