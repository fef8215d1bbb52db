// Advice of the tuning table: a query with the labels domain and host, a text, and the alert whose runbook explains it.
import { chosen, labelled, onHost, rate, select } from './promql.ts';
import { alertNamed } from '../../src/pack/alerts/alerts.ts';
import type { AlertLimits } from './thresholds.ts';

interface Advice {
  says: string;
  /** The alert whose runbook explains the change. */
  alert: string;
  expr: string;
}

const domains = `${chosen.host},domain=~"$guest_domain"`;
/** By domain and host, from a query over hosts. */
const said = (expr: string): string =>
  `max by (domain, host) (label_replace(${expr}, "host", "$1", "instance", "(.*)"))`;
const listener = 'on (job, instance, netns, address, port, family)';
/** Default timeslice of credit. */
const defaultTimesliceSeconds = 0.03;

const advices = ({ thresholdOf }: AlertLimits): readonly Advice[] => [
  {
    says: 'PV guest: PVH avoids the hypercalls of system calls and interrupts (value: 1)',
    alert: 'XenEventChannelStorm',
    expr: said(select('xen_domain_info', domains, 'type="pv"')),
  },
  {
    says: 'Listen backlog below somaxconn while connections wait (value: backlog)',
    alert: 'XenListenBacklogTooSmall',
    expr: onHost(
      `min by (uuid) (((${select('xen_listener_accept_queue_limit', chosen.guest)} / ${select('xen_listener_sockets', chosen.guest)} and ${listener} ${rate('xen_listener_accept_queue_connection_seconds_total', chosen.guest)} > 0) < on (job, instance) group_left () ${select('xen_sysctl_net_core_somaxconn', chosen.guest)}) * on (instance) group_left (uuid) ${select('instance:xen_guest_uuid:info')})`,
    ),
  },
  {
    says: 'One queue for several vCPUs (value: vCPUs)',
    alert: 'XenNetbackSaturated',
    expr: said(
      `(sum by (instance, domain) (${select('xen_domain_vcpus', domains, 'state="online"')}) > 1 and max by (instance, domain) (${select('xen_vif_queues', domains)}) == 1)`,
    ),
  },
  {
    says: 'At its CPU cap (value: used share of the cap)',
    alert: 'XenDomainCapReached',
    expr: onHost(
      `(${select('uuid:xen_domain_cap_used:ratio_rate5m', chosen.uuid)} > ${thresholdOf('XenDomainCapReached')})`,
    ),
  },
  {
    says: 'Timeslice of 30 ms or more: a woken vCPU may wait as long for each vCPU before it (value: seconds)',
    alert: 'XenCreditExhaustion',
    expr: said(`(${select('xen_scheduler_timeslice_seconds', chosen.host)} >= ${defaultTimesliceSeconds})`),
  },
  {
    says: 'Free virtual functions of a network card: a guest with one needs no netback (value: number)',
    alert: 'XenNetbackSaturated',
    expr: said(
      `(sum by (instance) (${select('xen_sriov_virtual_functions', chosen.host, 'state=~"off|assignable"')}) > 0)`,
    ),
  },
];

/** All advice, one series each. */
export const advice = (limits: AlertLimits): string =>
  advices(limits)
    .map(({ says, alert, expr }) =>
      labelled(labelled(`max by (domain, host) (${expr})`, 'advice', says), 'runbook', alertNamed(alert).name),
    )
    .join('\n  or\n');
