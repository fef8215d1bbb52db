import type * as cog from '@grafana/grafana-foundation-sdk/cog';
import {
  CustomVariableBuilder,
  DatasourceVariableBuilder,
  QueryVariableBuilder,
  TextBoxVariableBuilder,
  VariableHide,
  VariableRefresh,
  VariableSort,
  type VariableModel,
} from '@grafana/grafana-foundation-sdk/dashboard';
import { defaultPackOptions } from '../../src/pack/pack.ts';

export const datasource = { type: 'prometheus', uid: '${datasource}' };

type Variable = cog.Builder<VariableModel>;

/** Initial choice. Grafana preselects All if it exists, so a variable that starts with one value offers no All. */
type First = 'all' | 'one';

const all = { selected: true, text: ['All'], value: ['$__all'] };

const query = (name: string, label: string, description: string, expr: string): QueryVariableBuilder =>
  new QueryVariableBuilder(name)
    .label(label)
    .description(description)
    .datasource(datasource)
    .query({ query: expr, refId: name, qryType: 5 })
    .definition(expr)
    .refresh(VariableRefresh.OnTimeRangeChanged)
    .sort(VariableSort.AlphabeticalAsc);

const datasourceVariable = (): Variable =>
  new DatasourceVariableBuilder('datasource')
    .label('Data source')
    .description('The Prometheus that scrapes the exporters and evaluates the rules.')
    .type('prometheus');

const job = (): Variable =>
  query('job', 'Job', 'Jobs that scrape the exporters.', 'label_values(xen_exporter_build_info, job)')
    .multi(true)
    .includeAll(true)
    .current(all);

const withAll = (variable: QueryVariableBuilder): QueryVariableBuilder =>
  variable.includeAll(true).allValue('.*').current(all);

/** Hosts and driver domains: exporters with domains or vifs. */
const host = (first: First): Variable => {
  const variable = query(
    'host',
    'Host',
    'Dom0s and driver domains, by the address of the exporter.',
    'label_values({__name__=~"xen_domain_info|xen_vif_connected",job=~"$job"}, instance)',
  ).multi(true);
  return first === 'all' ? withAll(variable) : variable;
};

/** The value is the uuid, which a guest keeps on every host. */
const guest = (first: First): Variable => {
  const variable = query(
    'guest',
    'Guest',
    'Guests by name.',
    'query_result(uuid:xen_guest_identity:info{job="",host=~"$host"})',
  )
    .regex('/domain="(?<text>[^"]+)".*uuid="(?<value>[^"]+)"/')
    .multi(true);
  return first === 'all' ? withAll(variable) : variable;
};

const instance = (): Variable =>
  query('instance', 'Exporter', 'Exporters by address.', 'label_values(xen_exporter_build_info{job=~"$job"}, instance)')
    .multi(true)
    .includeAll(true)
    .allValue('.*')
    .current(all);

/** Follows the chosen guests, so that queries read only their series. */
const follower = (name: string, of: string, label: string): Variable =>
  query(name, name, 'Follows the guest.', `label_values(${of}{job="",uuid=~"$guest",uuid!="",host=~"$host"}, ${label})`)
    .hide(VariableHide.HideVariable)
    .multi(true)
    .includeAll(true)
    .current(all);

const guestInstance = (): Variable => follower('guest_instance', 'instance:xen_exporter_identity:info', 'instance');
const guestHost = (): Variable => follower('guest_host', 'uuid:xen_guest_identity:info', 'host');
const guestDomain = (): Variable => follower('guest_domain', 'uuid:xen_guest_identity:info', 'domain');

const most = (): Variable =>
  new CustomVariableBuilder('most')
    .label('At most')
    .description('Number of guests, vifs or exporters that a panel shows: those with the highest values.')
    .values('10,25,50,200,1000')
    .current({ selected: true, text: '25', value: '25' });

const runbooks = (): Variable =>
  new TextBoxVariableBuilder('runbooks')
    .label('Runbooks')
    .description("Base URL of the runbooks; the alert's name and .md follow.")
    .hide(VariableHide.HideVariable)
    .defaultValue(defaultPackOptions.runbookUrl)
    .current({ selected: true, text: defaultPackOptions.runbookUrl, value: defaultPackOptions.runbookUrl });

/** Hosts and guests, with their initial choice. */
const machines = (hosts: First, guests: First): Variable[] => [datasourceVariable(), job(), host(hosts), guest(guests)];

export const fleetVariables = (): Variable[] => [...machines('all', 'all'), most(), runbooks()];

export const guestVariables = (): Variable[] => [
  ...machines('all', 'one'),
  guestInstance(),
  guestHost(),
  guestDomain(),
  runbooks(),
];

export const hostVariables = (): Variable[] => [...machines('one', 'all'), guestDomain(), most(), runbooks()];

export const capacityVariables = (): Variable[] => [
  ...machines('one', 'all'),
  guestInstance(),
  guestDomain(),
  most(),
  runbooks(),
];

export const exporterVariables = (): Variable[] => [datasourceVariable(), job(), instance(), most(), runbooks()];
