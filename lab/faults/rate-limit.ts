import { VICTIM, type Fault, type Scene } from './fault.ts';

const key = '/local/domain/0/backend/vif/$(xl domid domu1)/0/rate';

/** Bytes per 50 ms. netback applies a new limit immediately. */
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
    // No limit: netback's value if the key is missing.
    await limit(scene, 4_294_967_295);
    await scene.dom0.run(`xenstore-rm ${key}`);
  },
};
