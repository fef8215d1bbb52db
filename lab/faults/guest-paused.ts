import { VICTIM, type Fault, type Scene } from './fault.ts';

/** Xen refuses to unpause a guest that is not paused. */
const unpause = async (scene: Scene): Promise<void> => {
  await scene.dom0.run(`if xl list ${VICTIM} | grep -q -- '--p---'; then xl unpause ${VICTIM}; fi`);
};

export const guestPaused: Fault = {
  name: 'guest-paused',
  title: 'a guest that is paused',
  expected: { alert: 'XenExporterDown', severity: 'warning', domain: VICTIM },
  async inject(scene) {
    await scene.dom0.run(`xl pause ${VICTIM}`);
  },
  async nearMiss(scene) {
    await scene.dom0.run(`xl pause ${VICTIM}; sleep 3; xl unpause ${VICTIM}`);
  },
  mitigate: unpause,
  undo: unpause,
};
