import type { Command } from './command.ts';
import { doctor } from './doctor.ts';
import { health } from './health.ts';
import { helper } from './helper.ts';
import { probes } from './probes.ts';
import { rules } from './rules.ts';
import { serve } from './serve.ts';

/** All commands. The first one is the default. Usage, each --help and the manual page are generated from this list. */
export const commands: readonly Command[] = [serve, doctor, helper, rules, health, probes];
