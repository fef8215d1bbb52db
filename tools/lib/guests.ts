import { join } from 'node:path';
import { copiedHost } from './copied-host.ts';
import { project } from './project.ts';

/** Guests in test/fixtures/guests: kernel files captured from real Xen guests. */
export const guests = ['pv-idle', 'pv-storm', 'pv-netlink-storm', 'pvh-storm', 'hvm-idle'] as const;
export type Guest = (typeof guests)[number];

export const guestRoot = (guest: Guest): string => join(project, 'test/fixtures/guests', guest);

/** A captured guest as a host. */
export const guestHost = (guest: Guest): ReturnType<typeof copiedHost> => copiedHost(guestRoot(guest));
