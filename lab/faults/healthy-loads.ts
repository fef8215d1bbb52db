import { NEIGHBOUR, type HealthyLoad } from './fault.ts';

export const healthyLoads: readonly HealthyLoad[] = [
  { name: 'idle', title: 'nobody asks for anything', begin: () => Promise.resolve() },
  {
    name: 'heavy',
    title: 'many connections, all served',
    async begin(scene) {
      await scene.load('connections', 80, 40);
    },
  },
  {
    name: 'batch',
    title: 'a batch guest at its cap beside a quiet server',
    // Fires after 15 minutes, about the duration of the load.
    besides: [{ alert: 'XenDomainCapReached', domain: NEIGHBOUR }],
    async begin(scene) {
      await scene.cap(NEIGHBOUR, 50);
      await scene.hog(scene.neighbour);
    },
    undo: (scene) => scene.cap(NEIGHBOUR, 0),
  },
];
