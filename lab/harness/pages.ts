import type { Exposition } from '../../tools/lib/exposition.ts';

/** Failing collectors. */
export const failing = (page: Exposition): string[] =>
  page
    .samples('xen_exporter_collector_success')
    .flatMap(({ labels, value }) => (value === 0 ? [labels['collector']!] : []));

/** Missing root-only metrics and failing collectors on a Dom0 page; empty if it is complete. */
export const missing = (page: Exposition): string[] => [
  ...[
    'xen_domain_info',
    'xen_domain_vcpus',
    'xen_host_cpus',
    'xen_domain_scheduler_weight',
    'xen_domain_grant_frames',
    'xen_netback_ring_consumed_slots_total',
    'xen_backend_eoi_delay_seconds_total',
  ].filter((name) => page.samples(name).length === 0),
  ...failing(page).map((collector) => `collector ${collector}`),
];
export const isWhole = (page: Exposition): boolean => missing(page).length === 0;
