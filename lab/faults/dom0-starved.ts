import { NEIGHBOUR, neighbourStarves, type Fault, type Scene } from './fault.ts';

/** Dom0 has 256. Credit boosts whoever wakes, and credit2 keeps to weights: beside 1024, or 256 with credit2, Dom0's exporter could not answer. */
const WEIGHTS = { credit: 512, credit2: 128 } as const;

const begin = async (scene: Scene, weight: number): Promise<void> => {
  await scene.pin(NEIGHBOUR, '0,1');
  await scene.pin('Domain-0', '0,1');
  await scene.schedule(NEIGHBOUR, `-w ${weight}`);
  await scene.hog(scene.neighbour);
};

export const dom0Starved: Fault = {
  name: 'dom0-starved',
  title: 'vCPUs of Dom0 that wait for those of a guest',
  expected: {
    alert: 'XenDom0Starved',
    severity: 'warning',
    domain: undefined,
    besides: neighbourStarves,
  },
  async inject(scene) {
    await begin(scene, WEIGHTS[scene.lab.scheduler]);
    await scene.pin('Domain-0', '0');
    await scene.pin(NEIGHBOUR, '0');
  },
  nearMiss: (scene) => begin(scene, 64),
  /** Physical CPUs of its own: on one alone its vCPUs would wait for each other. */
  async mitigate(scene) {
    await scene.pin(NEIGHBOUR, '2-3');
    await scene.pin('Domain-0', '0,1');
  },
  async undo(scene) {
    await scene.pin('Domain-0', 'all');
    await scene.pin(NEIGHBOUR, 'all');
    await scene.schedule(NEIGHBOUR, '-w 256');
  },
};
