import { VICTIM, type Fault, type Scene } from './fault.ts';

/** Dom0 writes this key: xenstore also reaches a guest that is too busy for the network. */
const CALM = `/local/domain/$(xl domid ${VICTIM})/data/calm`;

/**
 * Sends packets, and runs processes with higher priority than their handling on the vCPUs, until Dom0 asks for calm.
 * Then the processes get the lowest priority.
 */
const begin = async (scene: Scene, priority: string): Promise<void> => {
  await scene.dom0.run(
    // The sender needs the address of a guest that does not answer ARP.
    `ip neigh replace ${scene.victim.ip} dev xenbr0 lladdr $(xenstore-read /local/domain/$(xl domid ${VICTIM})/device/vif/0/mac) nud permanent`,
  );
  await scene.start(
    scene.victim,
    `exec chrt -f 60 sh -c "until xenstore-exists data/calm; do sleep 0.5; done
      for pid in \\$(pgrep -x busybox); do chrt -o -p 0 \\$pid; renice -n 19 -p \\$pid; done"`,
  );
  // Few enough to leave Dom0 time for other work.
  await scene.load('packets', 9, 100);
  await scene.start(
    scene.victim,
    `for cpu in $(seq 0 $(($(nproc) - 1))); do taskset -c $cpu ${priority} busybox yes >/dev/null & done; wait`,
  );
};

export const notDraining: Fault = {
  name: 'not-draining',
  title: 'a guest too busy to give receive buffers',
  /** Its exporter does not answer either. */
  expected: {
    alert: 'XenGuestNotDraining',
    severity: 'warning',
    domain: VICTIM,
    besides: [{ alert: 'XenExporterDown', domain: VICTIM }],
  },
  inject: (scene) => begin(scene, 'chrt -f 50'),
  nearMiss: (scene) => begin(scene, 'nice -n 19'),
  async mitigate(scene) {
    await scene.dom0.run(`xenstore-write ${CALM} now`);
    await scene.victim.run(':', { timeoutMs: 300_000 });
  },
  async undo(scene) {
    await scene.dom0.run(`xenstore-rm ${CALM} 2>/dev/null || :`);
    await scene.dom0.run(`ip neigh del ${scene.victim.ip} dev xenbr0 2>/dev/null || :`);
  },
};
