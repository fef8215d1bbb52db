import { dashboardUids, dashboardVariables } from '../../src/pack/dashboards.ts';

const kept = '${__url_time_range}&var-datasource=${datasource}&${job:queryparam}';

/** Leads to a guest; the table has its uuid as a field. */
export const toGuest = {
  title: 'Accept path of this guest',
  url: `/d/${dashboardUids.guest}?var-${dashboardVariables.guest}=\${__data.fields.uuid}&${kept}`,
};

/** Leads to a host, whose exporter's address the table has in this field. */
export const toHost = (field: string): { title: string; url: string } => ({
  title: 'Dom0 and netback of this host',
  url: `/d/${dashboardUids.host}?var-${dashboardVariables.host}=\${__data.fields["${field}"]}&${kept}`,
});

/** Leads to an exporter, whose address the table has in this field. */
export const toExporter = (field: string): { title: string; url: string } => ({
  title: 'Health of this exporter',
  url: `/d/${dashboardUids.exporter}?var-${dashboardVariables.exporter}=\${__data.fields["${field}"]}&${kept}`,
});

/** Leads to the runbook of the alert whose name the cell has. */
export const toRunbook = { title: 'Runbook', url: '${runbooks:raw}${__value.raw}.md' };
