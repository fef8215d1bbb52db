import { VICTIM, type Fault } from './fault.ts';

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
  async undo(scene) {
    await scene.dom0.run(`xl unpause ${VICTIM}`);
  },
};
