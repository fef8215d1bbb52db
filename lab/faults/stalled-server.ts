import { SERVER_PORT, VICTIM, type Fault, type Scene } from './fault.ts';

const server = { backlog: 128, restMs: 1 };

const begin = async (scene: Scene): Promise<string> => {
  const pid = await scene.serve(server);
  await scene.load('connections', SERVER_PORT, 25);
  // The rules need a server that has accepted before.
  await scene.dom0.run(`curl -s -o /dev/null http://${scene.victim.ip}:${SERVER_PORT}/`);
  return pid;
};

export const stalledServer: Fault = {
  name: 'stalled-server',
  title: 'a server that stops accepting (SIGSTOP)',
  expected: {
    alert: 'XenAcceptQueueOverflow',
    severity: 'critical',
    domain: VICTIM,
    causes: ['XenAcceptLoopStalled'],
    // An emulated guest spends a third of its CPU time in interrupts while its server accepts this load.
    besides: [{ alert: 'XenEventChannelStorm', domain: VICTIM }],
  },
  async inject(scene) {
    const pid = await begin(scene);
    await scene.victim.run(`kill -STOP ${pid}`);
    await scene.untilFull(server.backlog);
  },
  mitigate: (scene) => scene.restart(server),
  /** As short as a garbage collection. */
  async nearMiss(scene) {
    const pid = await begin(scene);
    await scene.victim.run(`kill -STOP ${pid}; sleep 1; kill -CONT ${pid}`);
  },
};
