import { bounds } from '../../metrics/bounds.ts';
import { counter, gauge, histogram, total } from '../../metrics/descriptor.ts';

/** `netns` is the network namespace: empty for our own. */
export const listenerLabels = ['address', 'port', 'family', 'netns'] as const;

const sampled = 'Sampled, see xen_exporter_sampler_samples_total.';
const sockDiag = 'sock_diag';

export const metrics = {
  info: gauge('xen_listener_info', {
    meaning:
      'Constant 1. Service that listens: the systemd unit or cgroup of the socket. Empty if unknown (no cgroup2, Linux before 5.8, read from /proc).',
    labels: [...listenerLabels, 'service'],
    source: 'sock_diag INET_DIAG_CGROUP_ID, /sys/fs/cgroup',
  }),
  sockets: gauge('xen_listener_sockets', {
    meaning: 'Sockets that listen on this address and port; several with SO_REUSEPORT.',
    labels: listenerLabels,
    source: 'sock_diag or /proc/net/tcp',
  }),
  length: gauge('xen_listener_accept_queue_length', {
    meaning: 'Connections that wait for accept(), over all sockets.',
    labels: listenerLabels,
    source: `${sockDiag} idiag_rqueue, or rx_queue of /proc/net/tcp`,
  }),
  limit: gauge('xen_listener_accept_queue_limit', {
    meaning:
      'Limit of the accept queue, over all sockets: the lesser of the listen() backlog and net.core.somaxconn when listen() was called. The queue holds one more.',
    labels: listenerLabels,
    source: `${sockDiag} idiag_wqueue, or Send-Q of ss; otherwise absent`,
  }),
  maxFill: gauge('xen_listener_accept_queue_max_fill_ratio', {
    meaning: 'Fill of the fullest socket: length / (limit + 1), so that 1 is full.',
    labels: listenerLabels,
    source: 'as the limit',
  }),
  synQueueLength: gauge('xen_listener_syn_queue_length', {
    meaning: 'Connections in the handshake (SYN_RECV), with deferred accept also those whose client has sent no data.',
    labels: listenerLabels,
    source: `${sockDiag}; absent when read from /proc`,
  }),
  drops: counter('xen_listener_drops_total', {
    meaning:
      'SYNs and last ACKs that the listener dropped, mostly because its accept queue was full: attempts, not connections. With deferred accept also one for each connection whose client has sent no data yet; these drops are harmless. Continues over a restart of the server.',
    labels: listenerLabels,
    source: `${sockDiag} INET_DIAG_SKMEMINFO, or skmem of ss (Linux 4.7 and later); otherwise absent`,
    wraps: 'u32',
    bounds: bounds.connections,
  }),
  connectionSeconds: total('xen_listener_accept_queue_connection_seconds_total', {
    meaning: `Integral of the accept queue's length over time, in connections x seconds: its rate is the mean length. ${sampled}`,
    labels: listenerLabels,
  }),
  fullSeconds: total('xen_listener_accept_queue_full_seconds_total', {
    meaning: `Time during which the accept queue of at least one socket was full, in seconds: its rate is a share of time. ${sampled}`,
    labels: listenerLabels,
  }),
  dequeued: total('xen_listener_accept_queue_dequeued_total', {
    meaning: `Connections seen to leave the accept queue, by decreases of its length: a lower bound of what accept() returned. ${sampled}`,
    labels: listenerLabels,
  }),
  fill: histogram('xen_listener_accept_queue_fill_ratio', {
    meaning: `Fill of the fullest socket, length / (limit + 1), observed --collector.listeners.sampler-hertz times a second: a sample counts as often as the time that it stands for. ${sampled}`,
    labels: listenerLabels,
  }),
  source: gauge('xen_exporter_listener_source', {
    meaning: 'Constant 1. Where listening sockets are read from: netlink or proc.',
    labels: ['source'],
  }),
  namespaces: gauge('xen_exporter_network_namespaces', {
    meaning:
      'Network namespaces with processes, including our own. Read: their listeners are read. Unread: there are more than collector.listeners.max-namespaces, an attempt failed, or listeners are read from /proc; and refused, for lack of CAP_SYS_ADMIN or CAP_SYS_PTRACE. Absent unless --collector.listeners.namespaces=all.',
    labels: ['state'],
    source: '/proc/PID/ns/net, setns(2)',
  }),
  unreadNamespaces: gauge('xen_exporter_unread_network_namespace', {
    meaning:
      'Constant 1. A network namespace whose listeners are not read, and why: its state in xen_exporter_network_namespaces. Beyond collector.listeners.max-namespaces at most 100 are named, with a fair share for each user, and none without TCP sockets. Absent unless --collector.listeners.namespaces=all.',
    labels: ['netns', 'state'],
    source: '/proc/PID/ns/net, setns(2)',
  }),
  leftOut: gauge('xen_exporter_listeners_left_out', {
    meaning:
      'Listeners of the network namespace that have no series, because all together have more than the limit (--collector.max-series), and sockets that are not followed, because there are too many. The least important ones are left out, with a fair share for each namespace and user (docs/operate/security.md).',
    labels: ['netns'],
    source: 'sock_diag or /proc/net/tcp',
  }),
};
