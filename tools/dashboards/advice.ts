// What the tuning table advises: each a query with the labels domain and host, what to say, and where the runbook is.
import { chosen, labelled, onHost, rate, select } from './promql.ts';
import { alertNamed } from '../../src/pack/alerts/alerts.ts';
import type { AlertLimits } from './thresholds.ts';

interface Advice {
  says: string;
  /** The alert whose runbook says how. */
  alert: string;
  expr: string;
}

const domains = `${chosen.host},domain=~"$guest_domain"`;
/** By domain and host, of what a host says. */
const said = (expr: string): string =>
  `max by (domain, host) (label_replace(${expr}, "host", "$1", "instance", "(.*)"))`;
const listener = 'on (job, instance, netns, address, port, family)';
/** How long credit lets a vCPU run by default. */
const defaultTimesliceSeconds = 0.03;

const advices = ({ thresholdOf }: AlertLimits): readonly Advice[] => [
  {
    says: 'PV guest: PVH needs no hypercall for each system call and interrupt (value: 1)',
    alert: 'XenEventChannelStorm',
    expr: said(select('xen_domain_info', domains, 'type="pv"')),
  },
  {
    says: 'Listen backlog below somaxconn, of a listener on which connections wait (value: its limit)',
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
    says: 'At the cap of its CPU time (value: share of the cap that is used)',
    alert: 'XenDomainCapReached',
    expr: onHost(
      `(${select('uuid:xen_domain_cap_used:ratio_rate5m', chosen.uuid)} > ${thresholdOf('XenDomainCapReached')})`,
    ),
  },
  {
    says: 'Timeslice of 30 ms or more: who wakes may wait as long for each vCPU before it (value: seconds)',
    alert: 'XenCreditExhaustion',
    expr: said(`(${select('xen_scheduler_timeslice_seconds', chosen.host)} >= ${defaultTimesliceSeconds})`),
  },
  {
    says: 'Virtual functions of a network card are free: a guest with one needs no netback (value: how many)',
    alert: 'XenNetbackSaturated',
    expr: said(
      `(sum by (instance) (${select('xen_sriov_virtual_functions', chosen.host, 'state=~"off|assignable"')}) > 0)`,
    ),
  },
];

/** All of it, one series for each piece of advice. */
export const advice = (limits: AlertLimits): string =>
  advices(limits)
    .map(({ says, alert, expr }) =>
      labelled(labelled(`max by (domain, host) (${expr})`, 'advice', says), 'runbook', alertNamed(alert).name),
    )
    .join('\n  or\n');
