import { Unavailable } from '../host/unavailable.ts';
import { gauge } from '../metrics/descriptor.ts';
import { LabelSets } from '../metrics/labels.ts';
import { absentCollector, defineCollector } from './collector.ts';
import { domainLabels } from '../sources/toolstack/domain-directory.ts';

const poolLabel = ['pool'] as const;
const domainLabel = ['domain'] as const;

const metrics = {
  info: gauge(
    'xen_scheduler_info',
    'Constant 1. The scheduler of each cpupool: credit, credit2, rtds, null or arinc653. Source: xl cpupool-list (Xen 4.17).',
    ['pool', 'scheduler'],
  ),
  cpus: gauge('xen_cpupool_cpus', 'Physical CPUs that the cpupool has. Source: xl cpupool-list (Xen 4.17).', poolLabel),
  timeslice: gauge(
    'xen_scheduler_timeslice_seconds',
    'How long credit lets a vCPU run while others wait, in seconds; absent for other schedulers, which have none. Source: tslice of xl sched-credit (Xen 4.17).',
    poolLabel,
  ),
  ratelimit: gauge(
    'xen_scheduler_ratelimit_seconds',
    'How long credit and credit2 let a vCPU run at least before one that wakes may take its place, in seconds; 0 is no limit. Source: ratelimit of xl sched-credit, xl sched-credit2 (Xen 4.17).',
    poolLabel,
  ),
  migrationDelay: gauge(
    'xen_scheduler_migration_delay_seconds',
    'How long credit keeps a vCPU on the CPU where it last ran, in seconds. Source: migration-delay of xl sched-credit (Xen 4.11 and later).',
    poolLabel,
  ),
  weight: gauge(
    'xen_domain_scheduler_weight',
    'Share of the CPU that the domain gets when others want it too, relative to their weights; 256 is usual. Source: xl sched-credit, xl sched-credit2 (Xen 4.17).',
    domainLabel,
  ),
  cap: gauge(
    'xen_domain_scheduler_cap_cpus',
    'Most that the domain may use, in CPUs, also when others are idle; absent where it has no cap. Source: xl sched-credit, xl sched-credit2 (Xen 4.17).',
    domainLabel,
  ),
  period: gauge(
    'xen_domain_scheduler_period_seconds',
    'Period in which each vCPU of the domain gets its budget under rtds, in seconds. Source: xl sched-rtds (Xen 4.17).',
    domainLabel,
  ),
  budget: gauge(
    'xen_domain_scheduler_budget_seconds',
    'CPU time that each vCPU of the domain is sure to get in a period under rtds, in seconds. Source: xl sched-rtds (Xen 4.17).',
    domainLabel,
  ),
  extratime: gauge(
    'xen_domain_scheduler_extratime',
    'Whether vCPUs of the domain may run beyond their budget under rtds while others are idle: 1, else 0. Source: xl sched-rtds (Xen 4.17).',
    domainLabel,
  ),
};

/** What the schedulers were told: pools, timeslices, weights and caps. */
export const scheduler = defineCollector({
  name: 'scheduler',
  help: 'Schedulers of the cpupools with their parameters, and weight, cap or budget of every domain, from xl.',
  enabledByDefault: true,
  maxSeries: 5000,
  options: {},
  metrics: Object.values(metrics),
  create: ({ toolstack: { xl } }) => {
    if (xl instanceof Unavailable) return absentCollector(xl);
    const infoLabels = new LabelSets(metrics.info.labels);
    const poolLabels = new LabelSets(poolLabel);
    const labelSets = new LabelSets(domainLabel);
    return {
      availability: () => true,
      background: [xl.cpupools],
      sharedTasks: [xl.domains],
      collect: ({ out }) => {
        const names = domainLabels(xl.domains.last ?? []);
        // One that moves from pool to pool while the schedulers are asked, one after the other, is in both.
        const added = new Set<number>();
        for (const { name, scheduler, cpus, parameters } of xl.cpupools.fresh ?? []) {
          const pool = poolLabels.get(name);
          out.add(metrics.info, infoLabels.get(name, scheduler), 1);
          out.add(metrics.cpus, pool, cpus);
          out.add(metrics.timeslice, pool, parameters?.timesliceSeconds);
          out.add(metrics.ratelimit, pool, parameters?.ratelimitSeconds);
          out.add(metrics.migrationDelay, pool, parameters?.migrationDelaySeconds);
          for (const domain of parameters?.domains ?? []) {
            const label = names.get(domain.domid);
            if (label === undefined || added.has(domain.domid)) continue;
            added.add(domain.domid);
            const labels = labelSets.get(label);
            out.add(metrics.weight, labels, domain.weight);
            out.add(metrics.cap, labels, domain.capCpus);
            out.add(metrics.period, labels, domain.periodSeconds);
            out.add(metrics.budget, labels, domain.budgetSeconds);
            out.add(metrics.extratime, labels, domain.extratime === undefined ? undefined : Number(domain.extratime));
          }
        }
        [infoLabels, poolLabels, labelSets].forEach((labels) => labels.sweep());
      },
    };
  },
});
