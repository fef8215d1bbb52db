import { join } from 'node:path';
import { project } from '../../tools/lib/project.ts';
import { SERVER_PORT, VICTIM, type Fault, type Scene } from './fault.ts';

/** Nine tenths of it are used. Each client waits for its answer, so there are never more. */
const backlog = 44;
const ampleBacklog = 4096;
const RELISTEN = '/run/lab/relisten';

const begin = async (scene: Scene, limit: number): Promise<void> => {
  await scene.serve({ backlog: limit, restMs: 30 });
  await scene.storm(SERVER_PORT);
};

export const queueNearlyFull: Fault = {
  name: 'queue-nearly-full',
  title: 'as many clients as an accept queue has places, and no more',
  expected: { alert: 'XenAcceptQueueNearlyFull', severity: 'warning', domain: VICTIM },
  inject: (scene) => begin(scene, backlog),
  nearMiss: (scene) => begin(scene, 128),
  /** Lengthens the queue without a restart, with the runbook's script. */
  async mitigate(scene) {
    await scene.victim.send(join(project, 'packaging/relisten'), RELISTEN);
    await scene.victim.run(`pid=$(ss -Hltnp 'sport = :${SERVER_PORT}' | sed 's/.*pid=\\([0-9]*\\).*/\\1/')
      python3 -I ${RELISTEN} --pid="$pid" --port=${SERVER_PORT} --backlog=${ampleBacklog} --save="${RELISTEN}.$pid"`);
  },
};
