import {
  bothListenRequest,
  InetDiagDumps,
  keepListeners,
  listenRequest,
  parseInetDiag,
  type UnparsedListener,
} from '../../formats/inet-diag.ts';
import type { ListenAddress } from '../../formats/inet-diag-filter.ts';
import type { IpFamily } from '../../formats/ip-address.ts';
import type { ListenerSocket } from '../../formats/listener-socket.ts';
import { NetlinkError } from '../../formats/netlink.ts';
import type { Keep } from '../../host/netlink.ts';
import { completeDump } from '../../sources/complete-dump.ts';
import { FairReading } from './fair-reading.ts';

/** Sends a request of sock_diag into a network namespace: Netlink.exchange. */
export type Exchange = (request: Uint8Array, keep?: Keep) => Uint8Array;

// No row of a listener is shorter: header and struct inet_diag_msg.
const leastRowBytes = 88;

const families = ['ipv4', 'ipv6'] as const;

/** A request for listeners, and the families that it asks for. */
export interface ListenRequest {
  readonly bytes: Uint8Array;
  readonly families: readonly IpFamily[];
}

const oneRequest = (few?: readonly ListenAddress[]): readonly ListenRequest[] => [
  { bytes: bothListenRequest(few), families },
];

const requestsByFamily = (few?: readonly ListenAddress[]): readonly ListenRequest[] =>
  families.flatMap((family) => {
    const ofFamily = few?.filter((listener) => listener.family === family);
    return ofFamily?.length === 0 ? [] : [{ bytes: listenRequest(family, ofFamily), families: [family] }];
  });

/** The requests for listeners that this kernel answers: one for both families, or one for each if it refuses that. */
export class ListenRequests {
  #make = oneRequest;
  #all = oneRequest();
  /** By the list of listeners, which serves for many samples. */
  #few = new WeakMap<readonly ListenAddress[], readonly ListenRequest[]>();

  /**
   * Calls `read` with each request for these listeners, or for all if absent, and returns the results: at least one.
   */
  readEach<Reading>(few: readonly ListenAddress[] | undefined, read: (request: ListenRequest) => Reading): Reading[] {
    try {
      return this.#requestsFor(few).map(read);
    } catch (error) {
      if (!(error instanceof NetlinkError) || this.#make === requestsByFamily) throw error;
      this.#make = requestsByFamily;
      this.#all = requestsByFamily();
      this.#few = new WeakMap();
      return this.#requestsFor(few).map(read);
    }
  }

  #requestsFor(few: readonly ListenAddress[] | undefined): readonly ListenRequest[] {
    if (few === undefined) return this.#all;
    const requests = this.#few.get(few) ?? this.#make(few);
    this.#few.set(few, requests);
    return requests;
  }
}

/** All sockets of some dumps; of one the same array. */
export const inOne = (dumps: readonly ListenerSocket[][]): ListenerSocket[] =>
  dumps.length === 1 ? dumps[0]! : dumps.flat();

/** Reads all listeners of one network namespace again and again. */
export class ListenerReading {
  readonly #requests: ListenRequests;
  readonly #isWanted: ((listener: ListenAddress) => boolean) | undefined;
  readonly #shares = { ipv4: new FairReading(), ipv6: new FairReading() };
  readonly #dumps = new Map<ListenRequest, InetDiagDumps>();
  /** The last dumps and what was taken of them. */
  #last: { readonly dumps: readonly ListenerSocket[][]; readonly sockets: ListenerSocket[] } | undefined;
  /**
   * Whether there are so many sockets that not all may be followed: they are picked from each piece, before the dump is
   * parsed.
   */
  #areMany = false;

  constructor(requests: ListenRequests, isWanted: ((listener: ListenAddress) => boolean) | undefined) {
    this.#requests = requests;
    this.#isWanted = isWanted;
  }

  /** Sockets that the last reading left out. */
  get leftOut(): number {
    return this.#areMany ? this.#shares.ipv4.leftOut + this.#shares.ipv6.leftOut : 0;
  }

  /**
   * The listeners of this moment, of which about `most` of each family are to be followed. A reading in which nothing
   * has changed is the same array, and a socket that has not changed the same object.
   */
  read(exchange: Exchange, most: number): ListenerSocket[] {
    if (!this.#areMany) {
      const all = this.#readFew(exchange, most * leastRowBytes);
      if (all) return all;
      this.#areMany = true;
      this.#last = undefined;
      this.#dumps.clear();
    }
    let bytes = 0;
    const dumps = this.#requests.readEach(undefined, (request) =>
      this.#pick(request, most, (keep) =>
        exchange(request.bytes, (piece) => {
          bytes += piece.length;
          return keep(piece);
        }),
      ),
    );
    // Half of the limit, so that a number of sockets about it is not read in both ways by turns.
    this.#areMany = bytes > (most * leastRowBytes) / 2;
    return dumps.flat();
  }

  /** All sockets, unless they take more than `mostBytes`. */
  #readFew(exchange: Exchange, mostBytes: number): ListenerSocket[] | undefined {
    let bytes = 0;
    const upToLimit: Keep = ({ length }) => {
      bytes += length;
      return bytes > mostBytes ? 0 : length;
    };
    let isBeyond = false;
    const dumps = this.#requests.readEach(undefined, (request) => {
      const known = this.#dumps.get(request) ?? new InetDiagDumps();
      this.#dumps.set(request, known);
      const dump = completeDump(() => {
        bytes = 0;
        const answer = exchange(request.bytes, upToLimit);
        isBeyond ||= bytes > mostBytes;
        return isBeyond ? { sockets: [], interrupted: false } : known.parse(answer);
      });
      return dump.sockets;
    });
    return isBeyond ? undefined : this.#wanted(dumps);
  }

  #wanted(dumps: readonly ListenerSocket[][]): ListenerSocket[] {
    if (this.#last?.dumps.every((sockets, i) => sockets === dumps[i])) return this.#last.sockets;
    const all = inOne(dumps);
    const sockets = this.#isWanted ? all.filter(this.#isWanted) : all;
    this.#last = { dumps, sockets };
    return sockets;
  }

  /** The sockets that are wanted, with a fair share for each user. */
  #pick({ families: asked }: ListenRequest, most: number, dump: (keep: Keep) => Uint8Array): ListenerSocket[] {
    const takes = ({ family, port, uid, address }: UnparsedListener): boolean =>
      (this.#isWanted?.({ family, address: address(), port }) ?? true) && this.#shares[family].takes(uid);
    return completeDump(() => {
      for (const family of asked) this.#shares[family].begin(most);
      return parseInetDiag(dump((piece) => keepListeners(piece, takes)));
    }).sockets;
  }
}
