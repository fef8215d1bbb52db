import type { Fault, Scene } from './fault.ts';

const pid = '$(cat /run/xen/xenstored.pid)';

const goOn = async (scene: Scene): Promise<void> => {
  await scene.dom0.run(`kill -CONT ${pid}`);
};

export const hungXenstored: Fault = {
  name: 'hung-xenstored',
  title: 'a xenstored that hangs, and every xl with it',
  expected: { alert: 'XenExporterCollectorFailing', severity: 'warning', domain: 'Domain-0' },
  async inject(scene) {
    await scene.dom0.run(`kill -STOP ${pid}`);
  },
  async nearMiss(scene) {
    await scene.dom0.run(`kill -STOP ${pid}; sleep 2; kill -CONT ${pid}`);
  },
  mitigate: goOn,
  undo: goOn,
};
