/** The dashboards in grafana/, by what they are about: their uids. */
export const dashboardUids = {
  fleet: 'xen-fleet',
  guest: 'xen-guest',
  host: 'xen-dom0',
  capacity: 'xen-scheduler',
  exporter: 'xen-exporter',
} as const;

/** Variables of dashboards that a link may set: a guest's uuid, the instance of a host's exporter, the instance of any exporter. */
export const dashboardVariables = { guest: 'guest', host: 'host', exporter: 'instance' } as const;
