import { join } from 'node:path';
import { copiedHost } from './copied-host.ts';
import { project } from './project.ts';

/** The guests in test/fixtures/guests: what the kernels of real Xen guests showed. */
export const guests = ['pv-idle', 'pv-storm', 'pv-netlink-storm', 'pvh-storm', 'hvm-idle'] as const;
export type Guest = (typeof guests)[number];

export const guestRoot = (guest: Guest): string => join(project, 'test/fixtures/guests', guest);

/** One of them as a host. */
export const guestHost = (guest: Guest): ReturnType<typeof copiedHost> => copiedHost(guestRoot(guest));
