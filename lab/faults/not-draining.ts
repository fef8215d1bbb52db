import { VICTIM, type Fault, type Scene } from './fault.ts';

/** Written by Dom0: whoever is too busy for the network still hears of xenstore. */
const CALM = `/local/domain/$(xl domid ${VICTIM})/data/calm`;

/** Packets, and processes that go before everything else on the vCPUs that were to take them, until Dom0 asks for calm: then they go after everything else. */
const begin = async (scene: Scene, priority: string): Promise<void> => {
  await scene.dom0.run(
    // Who sends to a guest that answers no ARP must know its address.
    `ip neigh replace ${scene.victim.ip} dev xenbr0 lladdr $(xenstore-read /local/domain/$(xl domid ${VICTIM})/device/vif/0/mac) nud permanent`,
  );
  await scene.start(
    scene.victim,
    `exec chrt -f 60 sh -c "until xenstore-exists data/calm; do sleep 0.5; done
      for pid in \\$(pgrep -x busybox); do chrt -o -p 0 \\$pid; renice -n 19 -p \\$pid; done"`,
  );
  // Not so many that Dom0 has no time for anything else.
  await scene.load('packets', 9, 100);
  await scene.start(
    scene.victim,
    `for cpu in $(seq 0 $(($(nproc) - 1))); do taskset -c $cpu ${priority} busybox yes >/dev/null & done; wait`,
  );
};

export const notDraining: Fault = {
  name: 'not-draining',
  title: 'a guest too busy to give receive buffers',
  /** Nor does its exporter answer. */
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
