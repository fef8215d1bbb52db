import type { SynRecvSocket } from '../../formats/inet-diag.ts';
import type { ListenAddress } from '../../formats/inet-diag-filter.ts';
import type { IpFamily } from '../../formats/ip-address.ts';
import type { ListenerSocket } from '../../formats/listener-socket.ts';
import type { Host } from '../../host/host.ts';
import type { EnteredNamespace } from '../../host/netlink.ts';
import type { BackgroundTask } from '../../sources/background-task.ts';
import type { Skips } from '../../sources/parsed.ts';

/** Where the listening sockets are read from: those that the source was made to read, or all. */
export interface ListenerSource {
  readonly name: 'netlink' | 'proc';
  /** The data that the source lacks, in words. */
  readonly limitations?: string;
  /**
   * The listening sockets of this moment, of our network namespace. Those that cannot be read are skipped. Throws what
   * the host or the parsers throw.
   */
  read(host: Host, skips: Skips): ListenerSocket[];
  /** The same of another network namespace, one of so many, where the source can tell. */
  readIn?(host: Host, namespace: EnteredNamespace, namespaces: number): ListenerSocket[];
  /** Sockets that were left out of the last reading, because there were too many; `namespace` as above. */
  leftOut?(namespace?: EnteredNamespace): number;
  /**
   * The sockets of these listeners alone, at least one, where the source can read them for less; `namespace` as above.
   */
  readFew?(host: Host, listeners: readonly ListenAddress[], namespace?: EnteredNamespace): ListenerSocket[];
  /**
   * One row per connection in the handshake with a socket of these families, where the source has them; `namespace` as
   * above.
   */
  readSynReceived?(host: Host, families: readonly IpFamily[], namespace?: EnteredNamespace): SynRecvSocket[];
  /** Background work of the source, off the request path. */
  readonly background?: BackgroundTask;
}
