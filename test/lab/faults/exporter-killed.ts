import { startExporter, stopExporter } from '../exporter.ts';
import { VICTIM, type Fault } from './fault.ts';

export const exporterKilled: Fault = {
  name: 'exporter-killed',
  title: 'an exporter that is killed',
  expected: { alert: 'XenExporterDown', severity: 'warning', domain: VICTIM },
  async inject(scene) {
    await stopExporter(scene.victim, 'SIGKILL');
  },
  async nearMiss(scene) {
    await stopExporter(scene.victim);
    await startExporter(scene.victim);
  },
  async undo(scene) {
    await startExporter(scene.victim);
  },
};
