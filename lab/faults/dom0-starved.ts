import { growth, NEIGHBOUR, neighbourStarves, type Fault, type Scene } from './fault.ts';

/** Share of Dom0's wanted CPU time to steal: above the threshold, but low enough that the exporter still answers. */
const STOLEN = 0.35;
/** Increasing weights of the neighbour. Credit boosts waking vCPUs, and credit2 keeps to weights. Dom0 has 256. */
const STEPS = [
  { cpus: '0,1', weight: 512 },
  { cpus: '0,1', weight: 2048 },
  { cpus: '0', weight: 64 },
  { cpus: '0', weight: 128 },
  { cpus: '0', weight: 256 },
  { cpus: '0', weight: 512 },
  { cpus: '0', weight: 1024 },
] as const;

const share = async (scene: Scene, cpus: string, weight: number): Promise<void> => {
  await scene.pin(NEIGHBOUR, cpus);
  await scene.pin('Domain-0', cpus);
  await scene.schedule(NEIGHBOUR, `-w ${weight}`);
};

/** Stolen share of Dom0's wanted CPU time over six seconds. */
const stolenShare = async (scene: Scene): Promise<number> => {
  const look = `awk '/^cpu / { print $9, $2 + $3 + $4 + $7 + $8 + $9 }' /proc/stat`;
  const [stolen = NaN, wanted = NaN] = await growth(scene.dom0, look, 6);
  return stolen / wanted;
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
    await scene.hog(scene.neighbour);
    for (const { cpus, weight } of STEPS) {
      await share(scene, cpus, weight);
      if ((await stolenShare(scene)) >= STOLEN) return;
    }
    throw new Error(`Dom0 gets all of its wanted CPU time beside ${NEIGHBOUR}`);
  },
  async nearMiss(scene) {
    await share(scene, '0,1', 64);
    await scene.hog(scene.neighbour);
  },
  /** Dom0 gets its own physical CPUs, several: on one its vCPUs would wait for each other. */
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
