import type { CollectorDefinition } from './collector.ts';
import { cpu } from './cpu.ts';
import { guest } from './guest.ts';
import { interrupts } from './interrupts.ts';
import { listeners } from './listeners/listeners.ts';
import { netfront } from './netfront.ts';
import { softnet } from './softnet.ts';
import { tcp } from './tcp.ts';

/** Every collector, in the order in which a scrape runs them. Flags, docs and self-metrics are made of this list. */
export const registry: readonly CollectorDefinition[] = [guest, listeners, tcp, cpu, interrupts, softnet, netfront];
