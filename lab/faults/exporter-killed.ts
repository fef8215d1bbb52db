import { startExporter, stopExporter } from '../harness/exporter.ts';
import { VICTIM, type Fault, type Scene } from './fault.ts';

const startAnew = async (scene: Scene): Promise<void> => {
  await stopExporter(scene.victim);
  await startExporter(scene.victim);
};

export const exporterKilled: Fault = {
  name: 'exporter-killed',
  title: 'an exporter that is killed',
  expected: { alert: 'XenExporterDown', severity: 'warning', domain: VICTIM },
  async inject(scene) {
    await stopExporter(scene.victim, 'SIGKILL');
  },
  nearMiss: startAnew,
  mitigate: startAnew,
  undo: startAnew,
};
