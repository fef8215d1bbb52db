import { alertSeries, promql } from '../promql.ts';
import { harmedGuests, pageCause } from '../recording/page-causes.ts';
import { each, query, value } from '../template.ts';
import { guest, guestOnHost, type Alert } from './alert.ts';
import { causesOnHost } from './host-causes.ts';

/** Causes that belong to the host if they affect several of its guests: causes about the host, and CPU waits. */
export const causesOfHosts: readonly string[] = [
  ...causesOnHost.filter(({ about }) => about === 'host').map(({ name }) => name),
  'XenVcpuStarved',
  'XenCreditExhaustion',
];

const ofHost = `${pageCause}{cause=~"${causesOfHosts.join('|')}"}`;
const harmed = `uuid:xen_guest_identity:info{host=%q} and on (uuid) ${ofHost}`;
const count = (guests: string): string => each(query(`count(${guests})`, '$labels.host'), value('%.0f'), '0');
/** The most names that a notification lists. */
const mostNames = 30;
const names = each(
  `$index, $guest := ${query(harmed, '$labels.host')} | sortByLabel "domain"`,
  `{{ if lt $index ${mostNames} }}{{ if $index }}, {{ end }}{{ .Labels.domain }}{{ else if eq $index ${mostNames} }} and more{{ end }}`,
);
/** Names the cause before the change. */
const before = each(
  query(`topk(1, last_over_time(${pageCause}{uuid=%q,cause!=%q}[15m]))`, '$labels.uuid', '$labels.cause'),
  ' Before, it was {{ or .Labels.cause "none" }}.',
);

/** Alerts that merge one trouble into one page. Prometheus evaluates them after the guests' symptoms. */
export const pageAlerts: readonly Alert[] = [
  {
    name: 'XenHostHarmsGuests',
    kind: 'symptom',
    hop: 'accept queue',
    about: 'host',
    levels: [
      {
        severity: 'critical',
        threshold: {
          value: 1,
          why: 'Number of guests that refuse or lose connections because of their host. A single guest has its own page.',
        },
      },
    ],
    // It fires until the last page about its guests ends: the others may end minutes earlier.
    measure: () => promql`
      max_over_time(${harmedGuests}[15m])
        and on (instance) ${harmedGuests}`,
    needs: ['xen_domain_info', 'xen_tcp_listen_overflows_total'],
    for: '0s',
    summary: `{{ $labels.host | stripPort }} harms ${count(harmed)} of its ${count('uuid:xen_guest_identity:info{host=%q}')} guests`,
    description: `Guests that refuse or lose connections: ${names}. This alert mutes the pages about them.`,
    reading: { text: () => 'several of its guests refuse or lose connections by a cause that belongs to the host' },
    command: 'dom0# xl vcpu-list',
  },
  {
    name: 'XenGuestHarmedByHost',
    kind: 'symptom',
    hop: 'accept queue',
    about: 'guest',
    levels: [
      {
        severity: 'info',
        threshold: {
          value: 0,
          why: 'XenHostHarmsGuests names the guest or it does not. Alertmanager mutes the pages about the guest.',
        },
      },
    ],
    measure: () => promql`
      ${ofHost} + 1
        and on (uuid) (
          uuid:xen_guest_identity:info
            and on (host) ${alertSeries('alertname="XenHostHarmsGuests"', 'alertstate="firing"')}
        )`,
    needs: ['xen_domain_info', 'xen_tcp_listen_overflows_total'],
    for: '0s',
    summary: `${guestOnHost} is harmed by its host`,
    description: `XenHostHarmsGuests covers ${guest} and the other guests that its host harms.`,
    command: 'dom0# xl vcpu-list',
  },
  {
    name: 'XenCauseChanged',
    kind: 'symptom',
    hop: 'accept queue',
    about: 'guest',
    levels: [
      {
        severity: 'critical',
        threshold: {
          value: 0,
          why: 'While a page fired, another cause was the strongest for 2 minutes. It was at least 1.5 times as strong as the cause that the page names.',
        },
      },
    ],
    // It ends in the same evaluation as the page, so that one notification reports both.
    measure: () => promql`
      ${pageCause}
        and on (uuid) ${alertSeries('alertname!="XenCauseChanged"', 'kind="symptom"', 'severity="critical"', 'alertstate="firing"')}`,
    measureLabels: ['cause'],
    needs: ['xen_tcp_listen_overflows_total'],
    for: '0s',
    summary: `${guestOnHost} now suffers from another cause`,
    description: `The strongest cause of the trouble of ${guest} has changed.${before}`,
    command: 'dom0# xl vcpu-list',
  },
];
