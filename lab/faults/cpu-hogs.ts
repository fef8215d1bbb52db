import { NEIGHBOUR, neighbourStarves, SERVER_PORT, VICTIM, type Fault, type Scene } from './fault.ts';

const backlog = 64;

/**
 * Credit boosts waking vCPUs; credit2 keeps to weights, and with 512 the victim's exporter answered too few scrapes.
 * Guests have 256.
 */
const WEIGHTS = { credit: 4096, credit2: 384 } as const;

const begin = async (scene: Scene): Promise<void> => {
  await scene.serve({ backlog, restMs: 3 });
  await scene.load('connections', SERVER_PORT, 50);
};

export const cpuHogs: Fault = {
  name: 'cpu-hogs',
  title: "busy vCPUs of a neighbour on the guest's physical CPU",
  expected: {
    alert: 'XenAcceptQueueOverflow',
    severity: 'critical',
    domain: VICTIM,
    causes: ['XenCreditExhaustion', 'XenVcpuStarved'],
    besides: neighbourStarves,
  },
  async inject(scene) {
    await begin(scene);
    for (const domain of [VICTIM, NEIGHBOUR]) await scene.pin(domain, '3');
    await scene.schedule(NEIGHBOUR, `-w ${WEIGHTS[scene.lab.scheduler]}`);
    for (const guest of [scene.victim, scene.neighbour]) await scene.hog(guest);
    await scene.untilFull(backlog);
  },
  mitigate: (scene) => scene.pin(VICTIM, '0-2'),
  /** On another CPU than the victim. */
  async nearMiss(scene) {
    await begin(scene);
    await scene.pin(VICTIM, '0-2');
    await scene.pin(NEIGHBOUR, '3');
    await scene.hog(scene.neighbour);
  },
  async undo(scene) {
    for (const domain of [VICTIM, NEIGHBOUR]) await scene.pin(domain, 'all');
    await scene.schedule(NEIGHBOUR, '-w 256');
  },
};
