import { keepListeners, listenRequest, parseInetDiag, parseSynRecv, synRecvRequest } from '../../formats/inet-diag.ts';
import type { ListenAddress } from '../../formats/inet-diag-filter.ts';
import type { IpFamily } from '../../formats/ip-address.ts';
import type { ListenerSocket } from '../../formats/listener-socket.ts';
import type { Host } from '../../host/host.ts';
import type { EnteredNamespace, Keep } from '../../host/netlink.ts';
import { completeDump } from '../../sources/complete-dump.ts';
import { FairReading } from './fair-reading.ts';
import type { ListenerSource } from './source.ts';

const families = ['ipv4', 'ipv6'] as const;
const listenRequests = { ipv4: listenRequest('ipv4'), ipv6: listenRequest('ipv6') };
const synRecvRequests = { ipv4: synRecvRequest('ipv4'), ipv6: synRecvRequest('ipv6') };

// Sockets of a family that are followed: in our network namespace, and in all others together, but not fewer than this in each. Series are for some
// hundreds.
const mostFollowed = 8192;
const leastFollowed = 256;

const dump = <Row>(
  { netlink }: Host,
  namespace: EnteredNamespace | undefined,
  request: Uint8Array,
  parse: (bytes: Uint8Array) => { sockets: Row[]; interrupted: boolean },
  keep?: Keep,
) =>
  parse(
    namespace === undefined
      ? netlink.exchange('sockDiag', request, keep)
      : netlink.exchangeIn(namespace, request, keep),
  );

/**
 * The kernel's sock_diag (sock_diag(7)): length, limit, drops and cgroup of every listener, in a fiftieth of a millisecond however many
 * connections there are. The SYN queues cost a walk of the connection table for each family: for scrapes, not for samples. `isWanted`: which listeners to
 * read; all if absent.
 */
export const netlinkSource = (isWanted?: (listener: ListenAddress) => boolean): ListenerSource => {
  const newReadings = () => ({ ipv4: new FairReading(), ipv6: new FairReading() });
  const own = newReadings();
  const inOthers = new WeakMap<EnteredNamespace, typeof own>();
  const readingsOf = (namespace: EnteredNamespace | undefined): typeof own => {
    if (namespace === undefined) return own;
    const readings = inOthers.get(namespace) ?? newReadings();
    inOthers.set(namespace, readings);
    return readings;
  };
  /** By the list of listeners, which serves for many samples. */
  const fewRequests = new WeakMap<readonly ListenAddress[], Uint8Array[]>();
  const requestsFor = (listeners: readonly ListenAddress[]): Uint8Array[] => {
    const ofFamily = (family: IpFamily) => listeners.filter((listener) => listener.family === family);
    const asked = families.map((family) => [family, ofFamily(family)] as const).filter(([, { length }]) => length > 0);
    const requests = fewRequests.get(listeners) ?? asked.map(([family, few]) => listenRequest(family, few));
    fewRequests.set(listeners, requests);
    return requests;
  };

  const read = (host: Host, most: number, namespace?: EnteredNamespace): ListenerSocket[] =>
    families.flatMap((family) => {
      const reading = readingsOf(namespace)[family];
      const keep: Keep = (piece) =>
        keepListeners(
          piece,
          (uid, port, addressOf) => (isWanted?.({ family, address: addressOf(), port }) ?? true) && reading.takes(uid),
        );
      return completeDump(() => {
        reading.begin(most);
        return dump(host, namespace, listenRequests[family], parseInetDiag, keep);
      }).sockets;
    });

  return {
    name: 'netlink',
    read: (host) => read(host, mostFollowed),
    readIn: (host, namespace, namespaces) =>
      read(host, Math.max(leastFollowed, Math.floor(mostFollowed / namespaces)), namespace),
    leftOut: (namespace) => {
      const { ipv4, ipv6 } = readingsOf(namespace);
      return ipv4.leftOut + ipv6.leftOut;
    },
    readFew: (host, listeners, namespace) =>
      requestsFor(listeners).flatMap(
        (request) => completeDump(() => dump(host, namespace, request, parseInetDiag)).sockets,
      ),
    readSynReceived: (host, asked, namespace) =>
      asked.flatMap(
        (family) => completeDump(() => dump(host, namespace, synRecvRequests[family], parseSynRecv)).sockets,
      ),
  };
};
