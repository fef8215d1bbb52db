import type { Commands } from '../host/commands.ts';
import { Unavailable } from '../host/unavailable.ts';

/** Path of a Xen program, or why it cannot be run. */
export const xenProgram = (commands: Pick<Commands, 'find' | 'searched'>, name: string): string | Unavailable =>
  commands.find(name) ?? new Unavailable(`there is no ${name} ${commands.searched}`);
