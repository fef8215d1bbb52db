import { capReached } from './cap-reached.ts';
import { conntrackFull } from './conntrack-full.ts';
import { cpuHogs } from './cpu-hogs.ts';
import { dom0Starved } from './dom0-starved.ts';
import { exporterKilled } from './exporter-killed.ts';
import type { Fault } from './fault.ts';
import { guestPaused } from './guest-paused.ts';
import { hostStarved } from './host-starved.ts';
import { hungXenstored } from './hung-xenstored.ts';
import { notDraining } from './not-draining.ts';
import { oneVcpu } from './one-vcpu.ts';
import { ownCpu } from './own-cpu.ts';
import { packetStorm } from './packet-storm.ts';
import { queueNearlyFull } from './queue-nearly-full.ts';
import { rateLimit } from './rate-limit.ts';
import { smallBacklog } from './small-backlog.ts';
import { stalledServer } from './stalled-server.ts';
import { synFlood } from './syn-flood.ts';
import { vifDisconnected } from './vif-disconnected.ts';
import { vifShaped } from './vif-shaped.ts';

/** All faults, in the order of a run. */
export const faults: readonly Fault[] = [
  smallBacklog,
  queueNearlyFull,
  stalledServer,
  cpuHogs,
  ownCpu,
  capReached,
  rateLimit,
  vifShaped,
  conntrackFull,
  synFlood,
  packetStorm,
  oneVcpu,
  notDraining,
  guestPaused,
  dom0Starved,
  hostStarved,
  vifDisconnected,
  hungXenstored,
  exporterKilled,
];
