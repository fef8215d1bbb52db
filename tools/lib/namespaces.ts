import { NetworkNamespaces } from '../../src/sources/namespaces/network-namespaces.ts';
import type { Host } from '../../src/host/host.ts';

/** The network namespaces of a host; its own alone unless `most` others are wanted. */
export const namespacesOf = (host: Host, most?: number): NetworkNamespaces =>
  new NetworkNamespaces(host, { scope: most === undefined ? 'self' : 'all', intervalSeconds: 5, most: most ?? 0 });
