import { dashboardUids, dashboardVariables } from '../../src/pack/dashboards.ts';

const kept = '${__url_time_range}&var-datasource=${datasource}&${job:queryparam}';

/** Links to a guest. The table has its uuid as a field. */
export const toGuest = {
  title: 'Accept path of this guest',
  url: `/d/${dashboardUids.guest}?var-${dashboardVariables.guest}=\${__data.fields.uuid}&${kept}`,
};

/** Links to a host. The table has its exporter's address in this field. */
export const toHost = (field: string): { title: string; url: string } => ({
  title: 'Dom0 and netback of this host',
  url: `/d/${dashboardUids.host}?var-${dashboardVariables.host}=\${__data.fields["${field}"]}&${kept}`,
});

/** Links to an exporter. The table has its address in this field. */
export const toExporter = (field: string): { title: string; url: string } => ({
  title: 'Health of this exporter',
  url: `/d/${dashboardUids.exporter}?var-${dashboardVariables.exporter}=\${__data.fields["${field}"]}&${kept}`,
});

/** Links to the runbook of the alert named in the cell. */
export const toRunbook = { title: 'Runbook', url: '${runbooks:raw}${__value.raw}.md' };
