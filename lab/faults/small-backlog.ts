import { SERVER_PORT, VICTIM, type Fault } from './fault.ts';

const server = { backlog: 8, restMs: 3 };

export const smallBacklog: Fault = {
  name: 'small-backlog',
  title: 'a listen backlog of 8 under a storm of connections',
  expected: {
    alert: 'XenAcceptQueueOverflow',
    severity: 'critical',
    domain: VICTIM,
    causes: ['XenListenBacklogTooSmall'],
  },
  async inject(scene) {
    await scene.serve(server);
    await scene.storm(SERVER_PORT);
    await scene.untilFull(server.backlog);
  },
  async mitigate(scene) {
    await scene.restart({ ...server, backlog: 1024 });
  },
  async nearMiss(scene) {
    await scene.serve(server);
    await scene.load('connections', SERVER_PORT, 10);
  },
};
