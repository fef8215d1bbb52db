import { mkdirSync, rmSync, symlinkSync, unlinkSync } from 'node:fs';
import type { EnteredNamespace, Netlink } from '../../src/host/netlink.ts';
import { fakeHost, kept, replayNetlink, TempTree } from '../../tools/lib/fake-host.ts';
import { readBytes, readText } from '../../tools/lib/fixture.ts';
import { attribute, dump, message, words } from '../formats/netlink-message.ts';

/** A listener in sock_diag's form. */
export interface GeneratedListener {
  readonly port: number;
  /** Last byte of an address in 127.0.0.0/24. Default: any address. */
  readonly loopback?: number;
  readonly uid?: number;
  readonly id: number;
  readonly queueLength?: number;
  readonly drops?: number;
  readonly cgroupId?: number;
}

const inetDiagRow = (listener: GeneratedListener): Uint8Array => {
  const { port, loopback, uid = 0, id, queueLength = 0, drops = 0, cgroupId } = listener;
  const address = loopback === undefined ? 0 : (loopback << 24) | 127;
  const bigEndianPort = ((port & 0xff) << 8) | (port >>> 8);
  const rest = [id, 0, 0, queueLength, 5, uid, 0];
  return message(20, [
    words(2 | (10 << 8), bigEndianPort, address, ...Array<number>(8).fill(0), ...rest),
    attribute(7, words(0, 0, 0, 0, 0, 0, 0, 0, drops)),
    ...(cgroupId === undefined ? [] : [attribute(21, words(cgroupId, 0))]),
  ]);
};

/** A machine with processes in given namespaces, each with generated or captured listeners. */
export class Machine implements Disposable {
  readonly tree = new TempTree().write({
    'proc/net/snmp': readText('guests/pv-storm/proc/net/snmp'),
    'proc/net/netstat': readText('guests/pv-storm/proc/net/netstat'),
  });
  readonly opened = new Set<EnteredNamespace>();
  /** By number of the namespace; 1 is the exporter's. */
  readonly listeners = new Map<number, readonly GeneratedListener[]>();
  fail: Error | undefined;
  readonly host = fakeHost(this.tree.root, { netlink: this.#netlink() });

  constructor() {
    this.start('self', 1);
    this.start('10', 1);
  }

  #netlink(): Netlink {
    const captured = readBytes('linux-6.18/inet-diag-listen-v4.bin');
    const inodes = new Map<EnteredNamespace, number>();
    const answer = (request: Uint8Array, inode: number): Uint8Array => {
      // TCPDIAG_GETSOCK: the request for listeners.
      const isListen = request[4] === 18;
      const generated = this.listeners.get(inode);
      if (!isListen) return dump();
      return generated ? dump(...generated.map(inetDiagRow)) : captured;
    };
    return {
      ...replayNetlink((_, request) => answer(request, 1)),
      exchangeIn: (namespace, request, keep) => {
        if (!this.fail) return kept(answer(request, inodes.get(namespace)!), keep);
        namespace.close();
        throw this.fail;
      },
      enter: (_, inode) => {
        if (this.fail) throw this.fail;
        const entered: EnteredNamespace = { isOpen: true, close: () => this.opened.delete(entered) };
        Object.defineProperty(entered, 'isOpen', { get: () => this.opened.has(entered) });
        this.opened.add(entered);
        inodes.set(entered, inode);
        return entered;
      },
    };
  }

  /** Starts a process of a user, with this number of TCP sockets in its namespace. */
  start(pid: string, inode: number, { sockets = 1, cgroup = '/', uid = 0, userNamespace = 1 } = {}): void {
    this.tree.write({
      [`proc/${pid}/status`]: `Name:\ta\nUid:\t${uid}\t${uid}\t${uid}\t${uid}\n`,
      [`proc/${pid}/cgroup`]: `0::${cgroup}\n`,
      [`proc/${pid}/net/snmp`]: readText('guests/pv-storm/proc/net/snmp'),
      [`proc/${pid}/net/netstat`]: readText('guests/pv-storm/proc/net/netstat'),
      [`proc/${pid}/net/sockstat`]: `TCP: inuse ${sockets} orphan 0 tw 0 alloc 1 mem 0\n`,
    });
    mkdirSync(this.tree.path(`proc/${pid}/ns`));
    symlinkSync(`user:[${userNamespace}]`, this.tree.path(`proc/${pid}/ns/user`));
    symlinkSync(`net:[${inode}]`, this.tree.path(`proc/${pid}/ns/net`));
  }

  /** Reuses its pid for a process in another namespace. */
  move(pid: string, inode: number): void {
    unlinkSync(this.tree.path(`proc/${pid}/ns/net`));
    symlinkSync(`net:[${inode}]`, this.tree.path(`proc/${pid}/ns/net`));
  }

  end(pid: string): void {
    rmSync(this.tree.path(`proc/${pid}`), { recursive: true });
  }

  [Symbol.dispose](): void {
    this.tree[Symbol.dispose]();
  }
}
