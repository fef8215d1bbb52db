import { SERVER_PORT, VICTIM, type Fault, type Scene } from './fault.ts';

/** Of which nine tenths are taken: each of the clients waits for its answer, so that there are never more. */
const backlog = 44;
const ampleBacklog = 4096;

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
  /** listen() anew on the server's own socket, without a restart. */
  async mitigate(scene) {
    await scene.victim.run(
      `ss -Hltnp 'sport = :${SERVER_PORT}' | python3 -c 'import ctypes,os,re,socket,sys;[socket.socket(fileno=ctypes.CDLL(None).syscall(438,os.pidfd_open(int(p)),int(f),0)).listen(${ampleBacklog}) for p,f in re.findall(r"pid=(\\d+),fd=(\\d+)",sys.stdin.read())]'`,
    );
  },
};
