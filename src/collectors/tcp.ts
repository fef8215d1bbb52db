import { bounds } from '../metrics/bounds.ts';
import { parseInteger } from '../formats/integer.ts';
import { parseNetCounters } from '../formats/proc-net-counters.ts';
import { FileError, type FileTree } from '../host/file-tree.ts';
import { counter, gauge, type Descriptor } from '../metrics/descriptor.ts';
import { noLabels } from '../metrics/labels.ts';
import type { Output } from '../metrics/output.ts';
import { defineCollector } from './collector.ts';
import { inTurns } from '../sources/fair-share.ts';
import type { NetworkNamespace } from '../sources/namespaces/network-namespace.ts';
import { needs, parsedIfAny, parsedRows, readItem, type Skips } from '../sources/parsed.ts';

const tcpExt = 'TcpExt of /proc/net/netstat';

const netnsLabel = ['netns'] as const;

/** A counter that each network namespace has. */
const tcpCounter = (name: string, meaning: { readonly meaning: string; readonly source: string }) =>
  counter(name, { ...meaning, labels: netnsLabel, wraps: 'u64', bounds: bounds.connections });

/** The counters and their kernel names (net/ipv4/proc.c). */
const counters = [
  {
    key: 'Tcp.PassiveOpens',
    metric: tcpCounter('xen_tcp_passive_opens_total', {
      meaning: 'Connections that completed the handshake and entered an accept queue.',
      source: 'Tcp PassiveOpens of /proc/net/snmp',
    }),
  },
  {
    key: 'TcpExt.ListenOverflows',
    metric: tcpCounter('xen_tcp_listen_overflows_total', {
      meaning:
        'SYNs and last ACKs of handshakes that met a full accept queue: attempts, not connections, because a refused client tries again.',
      source: `${tcpExt} ListenOverflows`,
    }),
  },
  {
    key: 'TcpExt.ListenDrops',
    metric: tcpCounter('xen_tcp_listen_drops_total', {
      meaning: 'SYNs and last ACKs that listeners dropped for any reason, overflows included.',
      source: `${tcpExt} ListenDrops`,
    }),
  },
  {
    key: 'TcpExt.TCPReqQFullDrop',
    metric: tcpCounter('xen_tcp_syn_queue_full_drops_total', {
      meaning: 'SYNs dropped because the SYN queue was full and SYN cookies are off.',
      source: `${tcpExt} TCPReqQFullDrop`,
    }),
  },
  {
    key: 'TcpExt.TCPReqQFullDoCookies',
    metric: tcpCounter('xen_tcp_syn_queue_full_cookies_total', {
      meaning: 'SYNs answered with a cookie because the SYN queue was full.',
      source: `${tcpExt} TCPReqQFullDoCookies`,
    }),
  },
  {
    key: 'TcpExt.SyncookiesSent',
    metric: tcpCounter('xen_tcp_syncookies_sent_total', {
      meaning: 'SYN cookies sent.',
      source: `${tcpExt} SyncookiesSent`,
    }),
  },
  {
    key: 'TcpExt.SyncookiesRecv',
    metric: tcpCounter('xen_tcp_syncookies_received_total', {
      meaning: 'Valid SYN cookies that came back.',
      source: `${tcpExt} SyncookiesRecv`,
    }),
  },
  {
    key: 'TcpExt.SyncookiesFailed',
    metric: tcpCounter('xen_tcp_syncookies_failed_total', {
      meaning: 'Invalid SYN cookies that came back.',
      source: `${tcpExt} SyncookiesFailed`,
    }),
  },
  {
    key: 'TcpExt.TCPSynRetrans',
    metric: tcpCounter('xen_tcp_syn_retransmits_total', {
      meaning: 'SYNs and SYN-ACKs sent again: each delays a connection.',
      source: `${tcpExt} TCPSynRetrans`,
    }),
  },
  {
    key: 'TcpExt.TCPFastOpenPassive',
    metric: tcpCounter('xen_tcp_fastopen_passive_total', {
      meaning: 'Connections accepted with data in their SYN.',
      source: `${tcpExt} TCPFastOpenPassive`,
    }),
  },
  {
    key: 'TcpExt.TCPFastOpenPassiveFail',
    metric: tcpCounter('xen_tcp_fastopen_passive_failed_total', {
      meaning: 'Connections asking for Fast Open that got an ordinary handshake.',
      source: `${tcpExt} TCPFastOpenPassiveFail`,
    }),
  },
  {
    key: 'TcpExt.TCPFastOpenListenOverflow',
    metric: tcpCounter('xen_tcp_fastopen_listen_overflow_total', {
      meaning: 'Connections asking for Fast Open that met a full Fast Open queue.',
      source: `${tcpExt} TCPFastOpenListenOverflow`,
    }),
  },
  {
    key: 'TcpExt.TCPDeferAcceptDrop',
    metric: tcpCounter('xen_tcp_defer_accept_drops_total', {
      meaning: 'Last ACKs without data dropped for a listener with TCP_DEFER_ACCEPT.',
      source: `${tcpExt} TCPDeferAcceptDrop`,
    }),
  },
  {
    key: 'TcpExt.EmbryonicRsts',
    metric: tcpCounter('xen_tcp_embryonic_resets_total', {
      meaning: 'Resets received for connections in the handshake.',
      source: `${tcpExt} EmbryonicRsts`,
    }),
  },
] as const;

const established = gauge('xen_tcp_established_connections', {
  meaning: 'Connections in state ESTABLISHED or CLOSE-WAIT.',
  labels: netnsLabel,
  source: 'Tcp CurrEstab of /proc/net/snmp',
});

// TFO_SERVER_ENABLE and TFO_SERVER_COOKIE_NOT_REQD in the kernel (include/net/tcp.h).
const fastOpenServer = 0x2;
const fastOpenWithoutCookie = 0x200;

/** The settings and their files below /proc/sys. `of` converts the file's value; default: unchanged. */
const settings: readonly { file: string; metric: Descriptor<never>; of?: (value: number) => number }[] = [
  {
    file: 'sys/net/core/somaxconn',
    metric: gauge('xen_sysctl_net_core_somaxconn', {
      meaning:
        'Largest accept queue limit that listen(2) grants, in connections; a running server keeps the one it got.',
      source: '/proc/sys/net/core/somaxconn',
    }),
  },
  {
    file: 'sys/net/ipv4/tcp_max_syn_backlog',
    metric: gauge('xen_sysctl_net_ipv4_tcp_max_syn_backlog', {
      meaning: 'Limit of connections in the handshake. Beyond it SYNs are dropped if SYN cookies are off.',
      source: '/proc/sys/net/ipv4/tcp_max_syn_backlog',
    }),
  },
  {
    file: 'sys/net/ipv4/tcp_syncookies',
    metric: gauge('xen_sysctl_net_ipv4_tcp_syncookies', {
      meaning: 'SYN cookies: 0 never, 1 when a SYN queue is full, 2 always.',
      source: '/proc/sys/net/ipv4/tcp_syncookies',
    }),
  },
  {
    file: 'sys/net/ipv4/tcp_fastopen',
    metric: gauge('xen_sysctl_net_ipv4_tcp_fastopen', {
      meaning:
        'TCP Fast Open, a bit mask: 1 client, 2 server, 4 client without a cookie, 0x200 server without cookies, 0x400 every listener.',
      source: '/proc/sys/net/ipv4/tcp_fastopen',
    }),
  },
  {
    file: 'sys/net/ipv4/tcp_fastopen',
    metric: gauge('xen_tcp_fastopen_without_cookies', {
      meaning:
        'Whether listeners with TCP Fast Open accept data in a SYN without a cookie: 1, else 0. The address of such a client may be forged.',
      source: 'bits 2 and 0x200 of /proc/sys/net/ipv4/tcp_fastopen',
      versions: 'Linux 3.7 and later',
      notes:
        'a listener (TCP_FASTOPEN_NO_COOKIE) and a route can do without cookies by themselves, which nothing shows',
    }),
    of: (value) => Number((value & fastOpenServer) !== 0 && (value & fastOpenWithoutCookie) !== 0),
  },
  {
    file: 'sys/net/ipv4/tcp_abort_on_overflow',
    metric: gauge('xen_sysctl_net_ipv4_tcp_abort_on_overflow', {
      meaning: 'Whether a full accept queue answers the last ACK with a reset (1) instead of silence (0).',
      source: '/proc/sys/net/ipv4/tcp_abort_on_overflow',
    }),
  },
];

/** Counters below a folder of /proc, `net` or `PID/net`. Skips broken ones. Throws FileError, ParseError. */
const readCounters = (procfs: FileTree, folder: string, skips: Skips): Map<string, number> =>
  new Map(['snmp', 'netstat'].flatMap((file) => [...parsedRows(procfs, `${folder}/${file}`, parseNetCounters, skips)]));

/** Counters of another network namespace, from a process in it. Undefined if the process ends or moves meanwhile. */
const readCountersOf = (
  procfs: FileTree,
  namespace: NetworkNamespace,
  skips: Skips,
): Map<string, number> | undefined => {
  const pid = namespace.process();
  if (pid === undefined) return undefined;
  try {
    const readings = readCounters(procfs, `${pid}/net`, skips);
    return namespace.process() === pid ? readings : undefined;
  } catch (error) {
    if (error instanceof FileError) return undefined;
    throw error;
  }
};

/** TCP counters of the accept path in each network namespace. The settings are from the exporter's own. */
export const tcp = defineCollector({
  name: 'tcp',
  help: 'Handshakes, accept queue overflows, SYN cookies and the settings behind them, from /proc/net/snmp, /proc/net/netstat and /proc/sys/net.',
  enabledByDefault: true,
  maxSeries: 2000,
  options: {},
  metrics: [...counters, { metric: established }, ...settings].map(({ metric }) => metric),
  create: ({ host: { procfs }, namespaces }) => {
    const addCounters = (out: Output, netns: string, readings: ReadonlyMap<string, number>): void => {
      const labels = out.labels(netnsLabel, netns);
      for (const { key, metric } of counters) out.counter(metric, labels, { reads: readings.get(key) });
      out.gauge(established, labels, readings.get('Tcp.CurrEstab'));
    };
    return {
      availability: () => needs(procfs, 'net/netstat'),
      collect: function* ({ host: { procfs }, out }) {
        for (const { file, metric, of } of settings) {
          // Settings depend on the kernel: tcp_fastopen since 3.7, others only in the initial network namespace.
          const value = readItem(out, () => parsedIfAny(procfs, file, parseInteger));
          out.gauge(metric, noLabels, of === undefined || value === undefined ? value : of(value));
        }
        const others = inTurns(namespaces.others, [({ tenant }) => tenant]);
        yield* out.addWhole(
          [undefined, ...others],
          () => counters.length + 1,
          (namespace) => {
            const readings = namespace
              ? readItem(out, () => readCountersOf(procfs, namespace, out))
              : readCounters(procfs, 'net', out);
            if (readings) addCounters(out, namespace?.name ?? '', readings);
          },
        );
      },
      sharedTasks: namespaces.background,
    };
  },
});
