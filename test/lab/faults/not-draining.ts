import { VICTIM, type Fault, type Scene } from './fault.ts';

/** Packets, and processes that go before everything else on the vCPUs that were to take them. */
const begin = async (scene: Scene, priority: string): Promise<void> => {
  await scene.load('packets', 9, 500);
  await scene.start(
    scene.victim,
    `for cpu in $(seq 0 $(($(nproc) - 1))); do taskset -c $cpu ${priority} busybox yes >/dev/null & done; wait`,
  );
};

export const notDraining: Fault = {
  name: 'not-draining',
  title: 'a guest too busy to give receive buffers',
  expected: { alert: 'XenGuestNotDraining', severity: 'warning', domain: VICTIM },
  inject: (scene) => begin(scene, 'chrt -f 50'),
  nearMiss: (scene) => begin(scene, 'nice -n 19'),
};
