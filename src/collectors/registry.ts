import type { CollectorDefinition } from './collector.ts';
import { cpu } from './cpu.ts';
import { domains } from './domains.ts';
import { grants } from './grants.ts';
import { guest } from './guest.ts';
import { interrupts } from './interrupts.ts';
import { listeners } from './listeners/listeners.ts';
import { netback } from './netback/netback.ts';
import { netfront } from './netfront.ts';
import { passthrough } from './passthrough.ts';
import { runstate } from './runstate/runstate.ts';
import { scheduler } from './scheduler.ts';
import { softnet } from './softnet.ts';
import { tcp } from './tcp.ts';
import { probes } from './probes/probes.ts';
import { uplink } from './uplink.ts';
import { vbd } from './vbd.ts';
import { vif } from './vif.ts';
import { xcpRrdd } from './xcp-rrdd.ts';
import { host } from './host.ts';
import { xenbus } from './xenbus.ts';

/** All collectors, in the order of a scrape. Flags, docs and self-metrics are generated from this list. */
export const registry: readonly CollectorDefinition[] = [
  guest,
  listeners,
  tcp,
  cpu,
  interrupts,
  softnet,
  netfront,
  uplink,
  vif,
  netback,
  xenbus,
  vbd,
  domains,
  xcpRrdd,
  scheduler,
  runstate,
  probes,
  host,
  grants,
  passthrough,
];
