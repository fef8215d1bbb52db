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
/** A cap, or the budget of all vCPUs under rtds where there is no extra time. */
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
      description: 'Of the chosen hosts together.',
      unit: 'short',
      decimals: 0,
      width: 4,
      query: [`sum(${select('xen_host_cpus', chosen.host)})`, ''],
    }),
    stat({
      title: 'vCPUs',
      description: 'Online, of all domains of the chosen hosts, Dom0s among them.',
      unit: 'short',
      decimals: 0,
      width: 4,
      query: [`sum(${select('xen_domain_vcpus', chosen.host, 'state="online"')})`, ''],
    }),
    stat({
      title: 'Highest overcommit',
      description: 'vCPUs for each physical CPU, on the host that has most. Above 1 vCPUs may have to wait.',
      unit: 'none',
      decimals: 1,
      width: 4,
      query: [`max(${overcommit})`, ''],
    }),
    stat({
      title: 'CPUs in use',
      description: 'By all domains of the chosen hosts, in CPUs.',
      unit: 'none',
      decimals: 1,
      width: 4,
      query: [`sum(${rate('xen_domain_cpu_seconds_total', chosen.host)})`, ''],
    }),
    stat({
      title: 'Guests that wait for a CPU',
      description: 'Whose share of runnable but waiting is over the threshold of XenCreditExhaustion.',
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
      description: 'Memory of the chosen hosts that no domain has.',
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
        'What is set otherwise than the accept path wants it, and the value that it has; none of it is harm by itself. The runbook says how to change it, what that costs and how to undo it.',
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
        'Scheduler of each cpupool and its parameters: the timeslice of credit, the least time before a vCPU that wakes may take a CPU, and how long credit keeps a vCPU where it ran.',
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
      description: 'Overcommit of the hosts that have most. Above 1 vCPUs may have to wait.',
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
        'CPU time against what the scheduler grants: weight, cap (the budget of rtds where it is a cap), use of the cap, and the share of looks at vCPUs that could run and did not.',
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
        'Candidates for exhausted credit: share of looks at which a vCPU could run and did not, of the guests that have most of it. The line is where XenCreditExhaustion fires. HVM guests are not counted.',
      unit: 'percentunit',
      width: 12,
      limits: limitsOf('XenCreditExhaustion'),
      queries: [[most(onHost(waiting)), '{{domain}}']],
    }),
    graph({
      title: 'Steal in guests',
      description:
        'The same from inside: steal over the time that the guest wants to run. The line is where XenVcpuStarved fires.',
      unit: 'percentunit',
      width: 12,
      limits: limitsOf('XenVcpuStarved'),
      queries: [[most(onHost(select('uuid:xen_steal:ratio_rate5m', chosen.uuid))), '{{domain}}']],
    }),
    graph({
      title: 'CPU time of domains',
      description: 'In CPUs, of the domains that use most.',
      unit: 'none',
      decimals: 2,
      width: 12,
      queries: [[most(used), '{{domain}} on {{instance}}']],
    }),
    graph({
      title: 'What vCPUs were seen doing',
      description: 'Share of looks at all vCPUs of the chosen hosts.',
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
        'Of the frames that the table may have; a high-water mark. The lines are where XenGrantFramesNearLimit fires. Needs xen-diag in Dom0.',
      unit: 'percentunit',
      width: 12,
      limits: limitsOf('XenGrantFramesNearLimit'),
      queries: [[most(onHost(select('uuid:xen_grant_frames:ratio', chosen.uuid))), '{{domain}}']],
    }),
    graph({
      title: 'Virtual functions',
      description: 'Of SR-IOV devices, by what they are used for. Needs a network card with SR-IOV.',
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
  description: 'Who waits for a physical CPU, what the scheduler grants to whom, and what to tune.',
  variables: capacityVariables(),
  alertsMarked: 'host=~"$host",alertname=~"XenCreditExhaustion|XenVcpuStarved|XenDom0Starved|XenDomainCapReached"',
  sections: [summary, tuning(limits), pools, use(limits), grants(limits)],
});

export const scheduler = (limits: AlertLimits): Dashboard => dashboard(board(limits));
