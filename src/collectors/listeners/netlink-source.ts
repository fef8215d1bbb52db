import { listenRequest, parseInetDiag, parseSynRecv, synRecvRequest } from '../../formats/inet-diag.ts';
import type { Host } from '../../host/host.ts';
import type { EnteredNamespace } from '../../host/netlink.ts';
import { completeDump } from '../../sources/complete-dump.ts';
import type { ListenerSource } from './source.ts';

const listenRequests = [listenRequest('ipv4'), listenRequest('ipv6')];
const synRecvRequests = { ipv4: synRecvRequest('ipv4'), ipv6: synRecvRequest('ipv6') };

const dumps = <Row>(
  { netlink }: Host,
  namespace: EnteredNamespace | undefined,
  requests: readonly Uint8Array[],
  parse: (bytes: Uint8Array) => { sockets: Row[]; interrupted: boolean },
): Row[] => {
  const exchange = (request: Uint8Array): Uint8Array =>
    namespace === undefined ? netlink.exchange('sockDiag', request) : netlink.exchangeIn(namespace, request);
  return requests.flatMap((request) => completeDump(() => parse(exchange(request))).sockets);
};

/**
 * The kernel's sock_diag (sock_diag(7)): length, limit, drops and cgroup of every listener, in a fiftieth of a millisecond however many
 * connections there are. The SYN queues cost a walk of the connection table for each family: for scrapes, not for samples.
 */
export const netlinkSource: ListenerSource = {
  name: 'netlink',
  read: (host) => dumps(host, undefined, listenRequests, parseInetDiag),
  readIn: (host, namespace) => dumps(host, namespace, listenRequests, parseInetDiag),
  readSynReceived: (host, families, namespace) =>
    dumps(
      host,
      namespace,
      families.map((family) => synRecvRequests[family]),
      parseSynRecv,
    ),
};
