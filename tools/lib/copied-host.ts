import { existsSync, readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import type { Clock } from '../../src/host/clock.ts';
import type { Commands } from '../../src/host/commands.ts';
import type { Host } from '../../src/host/host.ts';
import type { Netlink } from '../../src/host/netlink.ts';
import { fakeClock, fakeHost, replayNetlink } from './fake-host.ts';

// Offsets of the requests: struct nlmsghdr, then family and states of struct inet_diag_req_v2.
const typeAt = 4;
const familyAt = 16;
const statesAt = 20;
// The request for listeners of both families (struct inet_diag_req): no capture has that, but one of each family.
const TCPDIAG_GETSOCK = 18;
const SYN_RECV = 1 << 3;
const endOfDump = 20;
const emptyDump = Uint8Array.of(20, 0, 0, 0, 3, 0, 2, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0);

const replay = (folder: string): Netlink =>
  replayNetlink((protocol, request) => {
    if (protocol === 'route') return readFileSync(resolve(folder, 'rtm-getqdisc.bin'));
    const dump = (table: string, family: 'v4' | 'v6'): Uint8Array => {
      const file = resolve(folder, `inet-diag-${table}-${family}.bin`);
      return existsSync(file) ? readFileSync(file) : emptyDump;
    };
    if (request[typeAt] === TCPDIAG_GETSOCK)
      return Buffer.concat([dump('listen', 'v4').subarray(0, -endOfDump), dump('listen', 'v6')]);
    const states = request[statesAt]! | (request[statesAt + 1]! << 8);
    return dump(states === SYN_RECV ? 'syn-recv' : 'listen', request[familyAt] === 2 ? 'v4' : 'v6');
  });

/** A host from a copy of a machine's files, with recorded netlink replies if present. */
export const copiedHost = (
  root: string,
  parts: { commands?: Commands } = {},
): Host & { clock: Clock & { advance(seconds: number): void } } => {
  const clock = fakeClock();
  const netlink = resolve(root, 'netlink');
  const host = fakeHost(root, { ...parts, clock, ...(existsSync(netlink) && { netlink: replay(netlink) }) });
  return { ...host, clock };
};

/** Flags for an exporter that reads a copy of a machine's files. */
export const fileFlags = (root: string): string[] => [`--path.procfs=${root}/proc`, `--path.sysfs=${root}/sys`];

/** Flags for an exporter that reads a copy of a machine's files and runs the programs in its folder `bin`. */
export const hostFlags = (root: string): string[] => [...fileFlags(root), `--path.tools=${root}/bin`];
