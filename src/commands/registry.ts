import type { Command } from './command.ts';
import { doctor } from './doctor.ts';
import { health } from './health.ts';
import { helper } from './helper.ts';
import { probes } from './probes.ts';
import { rules } from './rules.ts';
import { serve } from './serve.ts';

/** Every command; the first one runs when none is named. Usage, each --help and the manual page are made of this list. */
export const commands: readonly Command[] = [serve, doctor, helper, rules, health, probes];
