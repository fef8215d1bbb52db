import type { Dashboard } from '@grafana/grafana-foundation-sdk/dashboard';
import { dashboardUids } from '../../src/pack/dashboards.ts';
import { dashboard, type Board, type Section } from './board.ts';
import { scoreName } from '../../src/pack/recording/score.ts';
import { advice } from './advice.ts';
import { toGuest, toHost, toRunbook } from './links.ts';
import { graph, stat, table } from './panels.ts';
import { chosen, most, onHost, rate, select, withUuid } from './promql.ts';
import { steps, type AlertLimits } from './thresholds.ts';
import { capacityVariables } from './variables.ts';

const labelsOfDomain = ['instance', 'domain'];
const perDomain = labelsOfDomain.join(', ');
const domains = `${chosen.host},domain=~"$guest_domain|Domain-0"`;
const used = `sum by (${perDomain}) (${rate('xen_domain_cpu_seconds_total', domains)})`;
const vcpus = `sum by (${perDomain}) (${select('xen_domain_vcpus', domains, 'state="online"')})`;
/** A cap, or under rtds the budget of all vCPUs unless they may use extra time. */
const cap = `(max by (${perDomain}) (${select('xen_domain_scheduler_cap_cpus', domains)}) or ${vcpus} * max by (${perDomain}) (${select('xen_domain_scheduler_budget_seconds', domains)} / ${select('xen_domain_scheduler_period_seconds', domains)} unless ${select('xen_domain_scheduler_extratime', domains)} == 1))`;
const observed = (...matchers: readonly string[]): string =>
  `sum by (${perDomain}) (${rate('xen_domain_vcpu_observations_total', domains, ...matchers)})`;
const runnable = `${observed('state="runnable"')} / (${observed()} > 0)`;
const overcommit = `sum by (instance) (${select('xen_domain_vcpus', chosen.host, 'state="online"')}) / max by (instance) (${select('xen_host_cpus', chosen.host)})`;
const waiting = select('uuid:xen_vcpu_runnable:ratio_rate5m', chosen.uuid);

const summary: Section = {
  panels: [
    stat({
      title: 'Physical CPUs',
      description: 'Physical CPUs of all chosen hosts.',
      unit: 'short',
      decimals: 0,
      width: 4,
      query: [`sum(${select('xen_host_cpus', chosen.host)})`, ''],
    }),
    stat({
      title: 'vCPUs',
      description: 'Online vCPUs of all domains of the chosen hosts, including Dom0s.',
      unit: 'short',
      decimals: 0,
      width: 4,
      query: [`sum(${select('xen_domain_vcpus', chosen.host, 'state="online"')})`, ''],
    }),
    stat({
      title: 'Highest overcommit',
      description: 'vCPUs per physical CPU, on the host with the highest value. Above 1 vCPUs may have to wait.',
      unit: 'none',
      decimals: 1,
      width: 4,
      query: [`max(${overcommit})`, ''],
    }),
    stat({
      title: 'CPUs in use',
      description: 'CPU time of all domains of the chosen hosts, in CPUs.',
      unit: 'none',
      decimals: 1,
      width: 4,
      query: [`sum(${rate('xen_domain_cpu_seconds_total', chosen.host)})`, ''],
    }),
    stat({
      title: 'Guests that wait for a CPU',
      description: 'Guests above the threshold of XenCreditExhaustion.',
      unit: 'short',
      decimals: 0,
      width: 4,
      limits: steps([1, 'orange']),
      query: [
        `count(${onHost(`(${select(scoreName, chosen.uuid, 'cause="XenCreditExhaustion"')} > 1)`)}) or vector(0)`,
        '',
      ],
    }),
    stat({
      title: 'Memory free',
      description: 'Unassigned memory of the chosen hosts.',
      unit: 'bytes',
      width: 4,
      query: [`sum(${select('xen_host_memory_free_bytes', chosen.host)})`, ''],
    }),
  ],
};

const tuning = (limits: AlertLimits): Section => ({
  title: 'What to tune',
  panels: [
    table({
      title: 'Advice',
      description:
        'Settings that are not ideal for the accept path, with their values. None is harmful by itself. The runbook explains the change, its cost and its undo.',
      width: 24,
      height: 9,
      labels: [
        { label: 'advice', name: 'Advice', width: 660 },
        { label: 'domain', name: 'Guest', width: 140 },
        { label: 'host', name: 'Host', width: 170 },
        { label: 'runbook', name: 'Runbook', link: toRunbook, width: 220 },
      ],
      values: [{ name: 'Value', expr: advice(limits), width: 90 }],
      sortBy: 'Advice',
      isAlphabetical: true,
      noValue: 'Nothing to advise.',
    }),
  ],
});

const pools: Section = {
  title: 'Pools and schedulers',
  panels: [
    table({
      title: 'Pools',
      description:
        'Scheduler of each cpupool and its parameters: credit’s timeslice, the minimum run time before a waking vCPU may preempt, and how long credit keeps a vCPU on its CPU.',
      width: 14,
      height: 7,
      labels: [
        { label: 'instance', name: 'Host', link: toHost('Host'), width: 170 },
        { label: 'pool', name: 'Pool', width: 100 },
        { label: 'scheduler', name: 'Scheduler', width: 100 },
      ],
      values: [
        {
          name: 'CPUs',
          expr: `max by (instance, pool) (${select('xen_cpupool_cpus', chosen.host)}) * on (instance, pool) group_left (scheduler) max by (instance, pool, scheduler) (${select('xen_scheduler_info', chosen.host)})`,
          decimals: 0,
        },
        {
          name: 'Timeslice',
          expr: `max by (instance, pool) (${select('xen_scheduler_timeslice_seconds', chosen.host)})`,
          unit: 's',
        },
        {
          name: 'Ratelimit',
          expr: `max by (instance, pool) (${select('xen_scheduler_ratelimit_seconds', chosen.host)})`,
          unit: 's',
        },
        {
          name: 'Migration delay',
          expr: `max by (instance, pool) (${select('xen_scheduler_migration_delay_seconds', chosen.host)})`,
          unit: 's',
        },
      ],
      sortBy: 'CPUs',
    }),
    graph({
      title: 'vCPUs for each physical CPU',
      description: 'Overcommit of the hosts with the highest values. Above 1 vCPUs may have to wait.',
      unit: 'none',
      decimals: 1,
      width: 10,
      queries: [[most(overcommit), '{{instance}}']],
    }),
  ],
};

const use = ({ limitsOf }: AlertLimits): Section => ({
  title: 'Use and waiting',
  panels: [
    table({
      title: 'Domains',
      description:
        'CPU time compared with scheduler settings: weight, cap (under rtds a fixed budget), use of the cap, and share of observations in which vCPUs were ready but did not run.',
      width: 24,
      height: 9,
      labels: [
        { label: 'domain', name: 'Domain', link: toGuest, width: 140 },
        { label: 'instance', name: 'Host', link: toHost('Host'), width: 170 },
      ],
      hidden: ['uuid'],
      values: [
        { name: 'Use, CPUs', expr: withUuid(used, ...labelsOfDomain), decimals: 2 },
        { name: 'vCPUs', expr: vcpus, decimals: 0 },
        {
          name: 'Weight',
          expr: `max by (${perDomain}) (${select('xen_domain_scheduler_weight', domains)})`,
          decimals: 0,
        },
        { name: 'Cap, CPUs', expr: cap, decimals: 2 },
        {
          name: 'Use of the cap',
          expr: `${used} / ${cap}`,
          unit: 'percentunit',
          decimals: 0,
          limits: limitsOf('XenDomainCapReached'),
        },
        {
          name: 'Waits for a CPU',
          expr: runnable,
          unit: 'percentunit',
          decimals: 1,
          limits: limitsOf('XenCreditExhaustion'),
        },
        {
          name: 'Memory',
          expr: `max by (${perDomain}) (${select('xen_domain_memory_bytes', domains)})`,
          unit: 'bytes',
        },
      ],
      sortBy: 'Use, CPUs',
    }),
    graph({
      title: 'Runnable but waiting',
      description:
        'Share of observations in which a vCPU was ready but did not run, for the guests with the highest values. XenCreditExhaustion fires above the line. HVM guests are not counted.',
      unit: 'percentunit',
      width: 12,
      limits: limitsOf('XenCreditExhaustion'),
      queries: [[most(onHost(waiting)), '{{domain}}']],
    }),
    graph({
      title: 'Steal in guests',
      description: 'The guest’s own view: steal relative to wanted CPU time. XenVcpuStarved fires above the line.',
      unit: 'percentunit',
      width: 12,
      limits: limitsOf('XenVcpuStarved'),
      queries: [[most(onHost(select('uuid:xen_steal:ratio_rate5m', chosen.uuid))), '{{domain}}']],
    }),
    graph({
      title: 'CPU time of domains',
      description: 'In CPUs, for the domains that use most.',
      unit: 'none',
      decimals: 2,
      width: 12,
      queries: [[most(used), '{{domain}} on {{instance}}']],
    }),
    graph({
      title: 'Observed vCPU states',
      description: 'Share of observations of all vCPUs of the chosen hosts.',
      unit: 'percentunit',
      max: 1,
      stacked: true,
      width: 12,
      queries: [
        [
          `sum by (state) (${rate('xen_domain_vcpu_observations_total', domains)}) / on () group_left () sum(${rate('xen_domain_vcpu_observations_total', domains)})`,
          '{{state}}',
        ],
      ],
    }),
  ],
});

const grants = ({ limitsOf }: AlertLimits): Section => ({
  title: 'Grant tables and virtual functions: where xen-diag and SR-IOV are',
  collapsed: true,
  panels: [
    graph({
      title: 'Grant frames used',
      description:
        'Used share of a grant table’s maximum of frames, a high-water mark. XenGrantFramesNearLimit fires above the lines. Needs xen-diag in Dom0.',
      unit: 'percentunit',
      width: 12,
      limits: limitsOf('XenGrantFramesNearLimit'),
      queries: [[most(onHost(select('uuid:xen_grant_frames:ratio', chosen.uuid))), '{{domain}}']],
    }),
    graph({
      title: 'Virtual functions',
      description: 'Virtual functions of SR-IOV devices by use. Needs a network card with SR-IOV.',
      unit: 'short',
      decimals: 0,
      stacked: true,
      width: 12,
      queries: [[`sum by (state) (${select('xen_sriov_virtual_functions', chosen.host)})`, '{{state}}']],
    }),
  ],
});

const board = (limits: AlertLimits): Board => ({
  uid: dashboardUids.capacity,
  title: 'Xen / Scheduler and capacity',
  description: 'Which guests wait for a physical CPU, what the scheduler grants, and what to tune.',
  variables: capacityVariables(),
  alertsMarked: 'host=~"$host",alertname=~"XenCreditExhaustion|XenVcpuStarved|XenDom0Starved|XenDomainCapReached"',
  sections: [summary, tuning(limits), pools, use(limits), grants(limits)],
});

export const scheduler = (limits: AlertLimits): Dashboard => dashboard(board(limits));
