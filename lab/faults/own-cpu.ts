import { NEIGHBOUR, SERVER_PORT, VICTIM, type Fault, type Scene } from './fault.ts';

const server = { backlog: 64, restMs: 3, niceness: 15 };
const PER_SECOND = 25;
const MOST_LOADS = 4;
const LAST = 19;

/** Runs a busy process per vCPU in the victim, whose vCPUs share no physical CPU, so nothing is stolen. */
const begin = async (scene: Scene, niceness: number): Promise<void> => {
  await scene.pin(VICTIM, '2-3');
  for (const domain of [NEIGHBOUR, 'Domain-0']) await scene.pin(domain, '0-1');
  await scene.serve(server);
  await scene.hogTogether(scene.victim, niceness);
  await scene.load('connections', SERVER_PORT, PER_SECOND);
};

/** Whether the server's accept queue fills within 15 s. */
const isSoonFull = async ({ victim }: Scene): Promise<boolean> => {
  const queue = `ss -Hltn "sport = :${SERVER_PORT}" | awk '{ print $2 }'`;
  const seen = await victim.run(
    `for _ in $(seq 150); do if [ "$(${queue})" -gt ${server.backlog} ]; then echo full; break; fi; sleep 0.1; done`,
  );
  return seen.includes('full');
};

export const ownCpu: Fault = {
  name: 'own-cpu',
  title: "busy processes of the guest itself, which go before its server's",
  expected: {
    alert: 'XenAcceptQueueOverflow',
    severity: 'critical',
    domain: VICTIM,
    causes: ['XenGuestCpuSaturated'],
  },
  /** The cost of a connection varies by half between boots. Increase the load until it is too much. */
  async inject(scene) {
    await begin(scene, 0);
    for (let loads = 1; !(await isSoonFull(scene)); loads += 1) {
      if (loads === MOST_LOADS)
        throw new Error(`the server of ${VICTIM} accepts ${loads * PER_SECOND} connections a second with ease`);
      await scene.load('connections', SERVER_PORT, PER_SECOND);
    }
  },
  /** The same processes with lower priority than the server. */
  nearMiss: (scene) => begin(scene, LAST),
  async mitigate(scene) {
    await scene.victim.run(`for pid in $(pgrep -x busybox); do
      renice -n ${LAST} -p $pid
      if [ -e /proc/$pid/autogroup ]; then echo ${LAST} >/proc/$pid/autogroup; fi
    done`);
  },
  async undo(scene) {
    for (const domain of [VICTIM, NEIGHBOUR, 'Domain-0']) await scene.pin(domain, 'all');
  },
};
