import { VICTIM, type Fault, type Scene } from './fault.ts';

const key = '/local/domain/0/backend/vif/$(xl domid domu1)/0/rate';

/** So many bytes in each 50 ms: netback takes the new limit at once. */
const limit = async (scene: Scene, bytes: number): Promise<void> => {
  await scene.dom0.run(`xenstore-write ${key} ${bytes},50000`);
};

export const rateLimit: Fault = {
  name: 'rate-limit',
  title: 'the rate limit of a vif, reached by answers to clients',
  expected: { alert: 'XenNetbackRateLimited', severity: 'warning', domain: VICTIM },
  inject: (scene) => limit(scene, 300),
  nearMiss: (scene) => limit(scene, 10_000_000),
  mitigate: (scene) => limit(scene, 1_250_000),
  undo: async (scene) => {
    // Without a limit: as netback reads it where there is no such key.
    await limit(scene, 4_294_967_295);
    await scene.dom0.run(`xenstore-rm ${key}`);
  },
};
