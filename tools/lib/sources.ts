// Shared sources of a host for tests and benches, with default settings.
import type { Host } from '../../src/host/host.ts';
import { NetworkNamespaces } from '../../src/sources/namespaces/network-namespaces.ts';
import { Toolstack } from '../../src/sources/toolstack/toolstack.ts';
import { Xentrace, type XentraceSettings } from '../../src/sources/xentrace/xentrace.ts';

/** The toolstack of a host. */
export const toolstackOf = (host: Host): Toolstack =>
  new Toolstack(host, { intervalSeconds: 5, schedule: '*/5 * * * *', timeoutSeconds: 10 });

/** Network namespaces of a host: only its own, unless `most` others are wanted. */
export const namespacesOf = (host: Host, most?: number): NetworkNamespaces =>
  new NetworkNamespaces(host, { scope: most === undefined ? 'self' : 'all', intervalSeconds: 5, most: most ?? 0 });

/** Xen's trace buffer on a host. */
export const xentraceOf = (
  host: Host,
  settings: Partial<XentraceSettings> = {},
  toolstack = toolstackOf(host),
): Xentrace =>
  new Xentrace(host, toolstack, {
    windowSeconds: 3,
    intervalSeconds: 60,
    maxBytes: 8 << 20,
    cpuBudget: 0.02,
    ...settings,
  });
