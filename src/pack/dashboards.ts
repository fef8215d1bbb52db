/** Uids of the dashboards in grafana/ by subject. */
export const dashboardUids = {
  fleet: 'xen-fleet',
  guest: 'xen-guest',
  host: 'xen-dom0',
  capacity: 'xen-scheduler',
  exporter: 'xen-exporter',
} as const;

/** Dashboard variables that links may set: guest uuid, instance of a host's exporter, instance of any exporter. */
export const dashboardVariables = { guest: 'guest', host: 'host', exporter: 'instance' } as const;
