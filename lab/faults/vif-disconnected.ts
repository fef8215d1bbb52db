import { VICTIM, type Fault, type Scene } from './fault.ts';

const signal = `/local/domain/$(xl domid ${VICTIM})/data/reconnect`;
const driver = '/sys/bus/xen/drivers/vif';

const unbind = async (scene: Scene): Promise<void> => {
  await scene.dom0.run(`xenstore-rm ${signal} 2>/dev/null; :`);
  // This command's connection goes away with the network card. The card returns when Dom0 asks.
  await scene.victim.run(`cat >/run/lab/reconnect <<'END'
echo vif-0 >${driver}/unbind
until xenstore-exists data/reconnect; do sleep 0.2; done
echo vif-0 >${driver}/bind
until [ -d /sys/class/net/eth0 ]; do sleep 0.1; done
ip addr add ${scene.victim.ip}/24 dev eth0
ip link set eth0 up
ip route add default via 10.0.2.2
END
    setsid sh /run/lab/reconnect </dev/null >/dev/null 2>&1 &`);
};

const bind = async (scene: Scene): Promise<void> => {
  await scene.dom0.run(`xenstore-write ${signal} 1`);
  await scene.dom0.run(`until ping -c 1 -W 1 ${scene.victim.ip} >/dev/null; do :; done`);
};

export const vifDisconnected: Fault = {
  name: 'vif-disconnected',
  title: 'a frontend that disconnects its vif',
  /** Its exporter does not answer either. */
  expected: {
    alert: 'XenVifDisconnected',
    severity: 'warning',
    domain: VICTIM,
    besides: [{ alert: 'XenExporterDown', domain: VICTIM }],
  },
  inject: unbind,
  async nearMiss(scene) {
    await unbind(scene);
    await bind(scene);
  },
  mitigate: bind,
  undo: bind,
};
