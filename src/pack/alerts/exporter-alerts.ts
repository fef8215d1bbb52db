import { promql } from '../promql.ts';
import { guestArgument, instanceArgument, type Alert } from './alert.ts';

/** The exporters themselves: what is not seen cannot be said. */
export const meta: readonly Alert[] = [
  {
    name: 'XenExporterDown',
    kind: 'meta',
    hop: 'exporter',
    about: 'exporter',
    levels: [
      {
        severity: 'warning',
        threshold: { value: 0.5, why: 'Down or not.' },
      },
    ],
    measure: (p) => `1 - max by (job, instance) (${p.metric('up')})`,
    needs: ['up'],
    for: '5m',
    summary: 'The exporter on {{ $labels.instance }} cannot be scraped',
    description:
      'Prometheus cannot scrape {{ $labels.instance }}. This machine is unmonitored. If it is a Dom0, so is the host side of its guests.',
    command: `curl -sS http://${instanceArgument}/-/healthy`,
  },
  {
    name: 'XenExporterCollectorFailing',
    kind: 'meta',
    hop: 'exporter',
    about: 'exporter',
    levels: [
      {
        severity: 'warning',
        threshold: {
          value: 0,
          why: 'Failing or not; one that does not exist on a machine has not failed.',
        },
      },
    ],
    // The name of the collector stands in the notification, and a guest controls its page.
    measure: (p) =>
      `max by (job, instance, collector) (1 - (${p.recent('xen_exporter_collector_success', 'collector=~"[a-z0-9-]{1,40}"')} == 0))`,
    needs: ['xen_exporter_collector_success'],
    for: '15m',
    summary: 'The collector {{ $labels.collector }} fails on {{ $labels.instance }}',
    description:
      'The collector {{ $labels.collector }} on {{ $labels.instance }} keeps failing. Its log gives the reason. Alerts that need it are blind.',
    command: `curl -sS http://${instanceArgument}/metrics | grep -e collector_success -e collector_available`,
  },
  {
    name: 'XenGuestExporterMissing',
    kind: 'meta',
    hop: 'exporter',
    about: 'guest',
    levels: [
      {
        severity: 'info',
        threshold: {
          value: 0,
          why: 'A guest that had an exporter within a day, and has none, while its host still runs it.',
        },
      },
    ],
    measure: (p) => promql`
      uuid:xen_guest_exporter:last_seen_timestamp_seconds < time() - 300
        and on (uuid) instance_domain:xen_domain_uuid:info
        unless on (uuid) count by (uuid) (
          instance:xen_guest_claim:info
            and on (uuid) uuid:xen_guest_conflict:count
            and on (instance) ${p.metric('up')} == 1
        ) > 1`,
    needs: ['xen_domain_info', 'xen_guest_info'],
    for: '15m',
    summary: 'The exporter in {{ $labels.domain }} is gone',
    description:
      '{{ $labels.domain }} runs, and had an exporter within the last day: now it has none, and what its clients feel is not seen.',
    command: `dom0# xl list ${guestArgument}`,
  },
  {
    name: 'XenHostNotMarked',
    kind: 'meta',
    hop: 'exporter',
    about: 'exporter',
    levels: [
      {
        severity: 'warning',
        threshold: {
          value: 0.5,
          why: 'Host metrics are served or not. Guests control their pages, so a host counts only if Prometheus marks its target.',
        },
      },
    ],
    measure: (p) => promql`
      (
        group by (job, instance) (${p.recent('xen_domain_info')})
          or
        group by (job, instance) (${p.recent('xen_vif_connected')})
      )
        unless on (instance) instance:xen_host:info`,
    needs: ['xen_domain_info'],
    for: '5m',
    summary: '{{ $labels.instance }} serves metrics of a host, but Prometheus does not mark its target as one',
    description:
      '{{ $labels.instance }} serves metrics of domains or vifs, which the rules ignore. If it is a Dom0 or a driver domain, add the target label xen_role: host to it in the scrape configuration. If it is a guest, it claims to be a host.',
    command: `curl -sS http://${instanceArgument}/metrics | grep -e ^xen_domain_info -e ^xen_vif_connected`,
  },
  {
    name: 'XenGuestUuidConflict',
    kind: 'meta',
    hop: 'exporter',
    about: 'exporter',
    levels: [
      {
        severity: 'warning',
        threshold: {
          value: 1,
          why: 'Exporters that claim one uuid. One that does not answer keeps its claim as long as Prometheus has its target.',
        },
      },
    ],
    measure: () => promql`
      instance:xen_guest_claim:info
        * on (uuid) group_left () uuid:xen_guest_conflict:count`,
    needs: ['xen_guest_info'],
    for: '2m',
    summary: '{{ $labels.instance }} claims the uuid of a guest that another exporter claims too',
    description:
      '{{ $value }} exporters, one of them {{ $labels.instance }}, claim to be the guest with the uuid {{ $labels.uuid }}. The rules believe none of them, so symptoms of this guest do not fire. Find out which is the guest, and remove the target of the other.',
    command: 'dom0# xl list -v',
  },
];
