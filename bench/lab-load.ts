import { setTimeout as delay } from 'node:timers/promises';
import type { Lab } from '../lab/harness/lab.ts';
import type { Machine } from '../lab/harness/machine.ts';

const CLIENTS = 8;
/** Time after which the clients end on their own. */
const LONGEST_SECONDS = 300;
const SCRAPE_INTERVAL_SECONDS = 5;

/** Runs the task while clients in Dom0 connect to a guest's web server as fast as it accepts. */
export async function underLoad<T>({ dom0 }: Lab, server: Machine, task: () => Promise<T>): Promise<T> {
  const load = `while :; do ab -q -r -n 100000 -c ${CLIENTS} http://${server.ip}/; done`;
  await dom0.run(
    `setsid bash -c 'echo $$ >/run/lab/load.pid; exec timeout ${LONGEST_SECONDS} bash -c "${load}"' </dev/null >/dev/null 2>&1 &`,
  );
  try {
    return await task();
  } finally {
    await dom0.run('kill -- -$(cat /run/lab/load.pid)');
  }
}

/** Connections that a machine has accepted since it booted. */
export const passiveOpensOf = async (machine: Machine): Promise<number> =>
  Number(await machine.run("awk '/^Tcp: [0-9]/ {print $7}' /proc/net/snmp"));

/** Connections per second that a guest accepts under that load, while the usual scrapes continue. */
export const acceptRate = (
  lab: Lab,
  server: Machine,
  seconds: number,
  scrape: () => Promise<unknown>,
): Promise<number> =>
  underLoad(lab, server, async () => {
    const begin = performance.now();
    const before = await passiveOpensOf(server);
    while (performance.now() - begin < seconds * 1000) {
      await scrape();
      await delay(SCRAPE_INTERVAL_SECONDS * 1000);
    }
    return ((await passiveOpensOf(server)) - before) / ((performance.now() - begin) / 1000);
  });
