import type { Machine } from '../harness/machine.ts';
import { growth, NEIGHBOUR, SERVER_PORT, VICTIM, type Fault, type Scene } from './fault.ts';

const server = { backlog: 1024, restMs: 0 };
/** Connections per second that each guest requests of the other. */
const PER_SECOND = 15;
/** Decreasing caps of Dom0 in percent of a CPU. Its exporter must still answer: use a slow clock (`--speed=5`). */
const CAPS = [35, 25, 18, 12] as const;
const AMPLE_CAP = 180;
/** Share of its accepts that a guest may keep. Pages need less than half. */
const KEPT = 0.35;

const capDom0 = (scene: Scene, percent: number): Promise<void> => scene.schedule('Domain-0', `-c ${percent}`);

/** Connections per second that a guest accepts, over six seconds. */
const accepts = async (guest: Machine): Promise<number> => {
  const look = `cut -d' ' -f1 /proc/uptime; awk '/^Tcp: [0-9]/ { print $7 }' /proc/net/snmp`;
  const [seconds = NaN, accepted = NaN] = await growth(guest, look, 6);
  return accepted / seconds;
};

export const hostStarved: Fault = {
  name: 'host-starved',
  title: 'vCPUs of Dom0 that wait, while two guests serve each other',
  /** Pages about both guests name the same cause. While Dom0 waits, so do scrapes. */
  expected: {
    alert: 'XenHostHarmsGuests',
    severity: 'critical',
    domain: undefined,
    causes: ['XenDom0Starved'],
    besides: [
      ...[VICTIM, NEIGHBOUR].map((domain) => ({ alert: 'XenGuestHarmedByHost', domain })),
      ...['Domain-0', VICTIM, NEIGHBOUR].map((domain) => ({ alert: 'XenExporterDown', domain })),
    ],
  },
  /** Accepts an hour ago in both guests. */
  precondition: 'count(uuid:xen_accepts_an_hour_ago:min10m > 5) > 1',
  /** Clients run in the guests: in Dom0 they would starve too and demand less. */
  async steady(scene) {
    const pairs = [
      [scene.victim, scene.neighbour],
      [scene.neighbour, scene.victim],
    ] as const;
    for (const [guest, client] of pairs) {
      await scene.serve(server, guest);
      await scene.load('connections', SERVER_PORT, PER_SECOND, guest, client);
    }
  },
  async inject(scene) {
    const guests = [scene.victim, scene.neighbour];
    const usual = await Promise.all(guests.map(accepts));
    for (const cap of CAPS) {
      await capDom0(scene, cap);
      const now = await Promise.all(guests.map(accepts));
      if (now.every((rate, index) => rate < KEPT * usual[index]!)) return;
    }
    throw new Error(`two guests accept connections beside a Dom0 with a cap of ${CAPS.at(-1)}`);
  },
  nearMiss: (scene) => capDom0(scene, AMPLE_CAP),
  mitigate: (scene) => capDom0(scene, 0),
  undo: (scene) => capDom0(scene, 0),
};
