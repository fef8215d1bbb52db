import { InetDiagDumps, parseSynRecv, synRecvRequest } from '../../formats/inet-diag.ts';
import type { ListenAddress } from '../../formats/inet-diag-filter.ts';
import type { ListenerSocket } from '../../formats/listener-socket.ts';
import type { Host } from '../../host/host.ts';
import type { EnteredNamespace } from '../../host/netlink.ts';
import { completeDump } from '../../sources/complete-dump.ts';
import { inOne, ListenerReading, ListenRequests, type Exchange, type ListenRequest } from './listener-reading.ts';
import type { ListenerSource } from './source.ts';

const synRecvRequests = { ipv4: synRecvRequest('ipv4'), ipv6: synRecvRequest('ipv6') };

// Sockets of a family that are followed: in our network namespace, and in all others together, but not fewer than this
// in each. Series are for some hundreds.
const mostFollowed = 8192;
const leastFollowed = 256;

const exchangeIn =
  ({ netlink }: Host, namespace: EnteredNamespace | undefined): Exchange =>
  (request, keep) =>
    namespace === undefined
      ? netlink.exchange('sockDiag', request, keep)
      : netlink.exchangeIn(namespace, request, keep);

/**
 * The kernel's sock_diag (sock_diag(7)): length, limit, drops and cgroup of every listener, in a fiftieth of a
 * millisecond however many connections there are. The SYN queues cost a walk of the connection table for each family:
 * for scrapes, not for samples. `isWanted`: which listeners to read; all if absent.
 */
export const netlinkSource = (isWanted?: (listener: ListenAddress) => boolean): ListenerSource => {
  const requests = new ListenRequests();
  const ofFew = new WeakMap<ListenRequest, InetDiagDumps>();
  const own = new ListenerReading(requests, isWanted);
  const inOthers = new WeakMap<EnteredNamespace, ListenerReading>();
  const readingOf = (namespace: EnteredNamespace | undefined): ListenerReading => {
    if (namespace === undefined) return own;
    const reading = inOthers.get(namespace) ?? new ListenerReading(requests, isWanted);
    inOthers.set(namespace, reading);
    return reading;
  };

  return {
    name: 'netlink',
    read: (host) => own.read(exchangeIn(host, undefined), mostFollowed),
    readIn: (host, namespace, namespaces) => {
      const most = Math.max(leastFollowed, Math.floor(mostFollowed / namespaces));
      return readingOf(namespace).read(exchangeIn(host, namespace), most);
    },
    leftOut: (namespace) => readingOf(namespace).leftOut,
    readFew: (host, listeners, namespace) => {
      const exchange = exchangeIn(host, namespace);
      const read = (request: ListenRequest): ListenerSocket[] => {
        const dumps = ofFew.get(request) ?? new InetDiagDumps();
        ofFew.set(request, dumps);
        return completeDump(() => dumps.parse(exchange(request.bytes))).sockets;
      };
      return inOne(requests.readEach(listeners, read));
    },
    readSynReceived: (host, asked, namespace) => {
      const exchange = exchangeIn(host, namespace);
      return asked.flatMap((family) => completeDump(() => parseSynRecv(exchange(synRecvRequests[family]))).sockets);
    },
  };
};
