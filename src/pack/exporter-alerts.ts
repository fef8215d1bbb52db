import { guest, type Alert } from './alert.ts';

/** The exporters themselves: what is not seen cannot be said. */
export const meta: readonly Alert[] = [
  {
    name: 'XenExporterDown',
    kind: 'meta',
    severity: 'warning',
    hop: 'exporter',
    about: 'exporter',
    threshold: { value: 0.5, why: 'Down or not.' },
    measure: (p) => `1 - max by (job, instance) (${p.metric('up')})`,
    needs: ['up'],
    for: '5m',
    summary: 'The exporter on {{ $labels.instance }} cannot be scraped',
    description:
      'Prometheus cannot scrape {{ $labels.instance }} for 5 minutes: this machine, and if it is a Dom0 its guests, are not watched.',
    command: 'curl -sS http://{{ $labels.instance }}/-/healthy',
  },
  {
    name: 'XenExporterCollectorFailing',
    kind: 'meta',
    severity: 'warning',
    hop: 'exporter',
    about: 'exporter',
    threshold: {
      value: 0,
      why: 'Failing or not; one that does not exist on a machine is not available, and not failing.',
    },
    measure: (p) =>
      `max by (job, instance, collector) (1 - (${p.recent('xen_exporter_collector_success')} == 0)) and on (job, instance, collector) ${p.recent('xen_exporter_collector_available')} == 1`,
    needs: ['xen_exporter_collector_success', 'xen_exporter_collector_available'],
    for: '15m',
    summary: 'The collector {{ $labels.collector }} fails on {{ $labels.instance }}',
    description:
      'The collector {{ $labels.collector }} on {{ $labels.instance }} fails for 15 minutes; its log says why. Alerts that need it are blind.',
    command: 'curl -sS http://{{ $labels.instance }}/metrics | grep -e collector_success -e collector_available',
  },
  {
    name: 'XenGuestExporterMissing',
    kind: 'meta',
    severity: 'info',
    hop: 'exporter',
    about: 'guest',
    threshold: {
      value: 0,
      why: 'A guest that had an exporter within a day, and has none, while its host still runs it.',
    },
    measure: () =>
      '(uuid:xen_guest_exporter:last_seen_timestamp_seconds unless on (uuid) instance:xen_guest_uuid:info) and on (uuid) max by (uuid) (instance_domain:xen_domain_uuid:info)',
    needs: ['xen_domain_info', 'xen_guest_info'],
    for: '15m',
    summary: 'The exporter in {{ $labels.domain }} is gone',
    description:
      '{{ $labels.domain }} runs, and had an exporter within the last day: now it has none, and what its clients feel is not seen.',
    command: `dom0# xl list ${guest}`,
  },
];
