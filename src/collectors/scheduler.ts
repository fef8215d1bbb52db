import { Unavailable } from '../host/unavailable.ts';
import { gauge } from '../metrics/descriptor.ts';
import { absentCollector, defineCollector } from './collector.ts';
import { domainLabels } from '../sources/toolstack/domain-directory.ts';

const poolLabel = ['pool'] as const;
const domainLabel = ['domain'] as const;

const metrics = {
  info: gauge('xen_scheduler_info', {
    meaning: 'Constant 1. The scheduler of each cpupool: credit, credit2, rtds, null or arinc653.',
    labels: ['pool', 'scheduler'],
    source: 'xl cpupool-list',
    versions: 'Xen 4.17',
  }),
  cpus: gauge('xen_cpupool_cpus', {
    meaning: 'Physical CPUs that the cpupool has.',
    labels: poolLabel,
    source: 'xl cpupool-list',
    versions: 'Xen 4.17',
  }),
  timeslice: gauge('xen_scheduler_timeslice_seconds', {
    meaning:
      'Time that credit lets a vCPU run while others wait, in seconds. Absent for other schedulers, which have none.',
    labels: poolLabel,
    source: 'tslice of xl sched-credit',
    versions: 'Xen 4.17',
  }),
  ratelimit: gauge('xen_scheduler_ratelimit_seconds', {
    meaning:
      'Minimum time that credit and credit2 let a vCPU run before a waking vCPU may replace it, in seconds. 0 is no limit.',
    labels: poolLabel,
    source: 'ratelimit of xl sched-credit, xl sched-credit2',
    versions: 'Xen 4.17',
  }),
  migrationDelay: gauge('xen_scheduler_migration_delay_seconds', {
    meaning: 'Time that credit keeps a vCPU on the CPU where it last ran, in seconds.',
    labels: poolLabel,
    source: 'migration-delay of xl sched-credit',
    versions: 'Xen 4.11 and later',
  }),
  weight: gauge('xen_domain_scheduler_weight', {
    meaning:
      'Weight of the domain: its share of CPU time while CPUs are short, relative to other weights. The default is 256.',
    labels: domainLabel,
    source: 'xl sched-credit, xl sched-credit2',
    versions: 'Xen 4.17',
  }),
  cap: gauge('xen_domain_scheduler_cap_cpus', {
    meaning: 'Cap of the domain, in CPUs, which holds even when CPUs are idle. Absent without a cap.',
    labels: domainLabel,
    source: 'xl sched-credit, xl sched-credit2',
    versions: 'Xen 4.17',
  }),
  period: gauge('xen_domain_scheduler_period_seconds', {
    meaning: 'Period in which each vCPU of the domain gets its budget under rtds, in seconds.',
    labels: domainLabel,
    source: 'xl sched-rtds',
    versions: 'Xen 4.17',
  }),
  budget: gauge('xen_domain_scheduler_budget_seconds', {
    meaning: 'Guaranteed CPU time of each vCPU in a period under rtds, in seconds.',
    labels: domainLabel,
    source: 'xl sched-rtds',
    versions: 'Xen 4.17',
  }),
  extratime: gauge('xen_domain_scheduler_extratime', {
    meaning: 'Whether vCPUs of the domain may run beyond their budget under rtds while others are idle: 1, else 0.',
    labels: domainLabel,
    source: 'xl sched-rtds',
    versions: 'Xen 4.17',
  }),
};

/** Scheduler settings: pools, timeslices, weights and caps. */
export const scheduler = defineCollector({
  name: 'scheduler',
  help: 'Schedulers of the cpupools with their parameters, and weight, cap or budget of every domain, from xl.',
  enabledByDefault: true,
  maxSeries: 5000,
  options: {},
  metrics: Object.values(metrics),
  create: ({ toolstack: { xl } }) => {
    if (xl instanceof Unavailable) return absentCollector(xl);
    return {
      availability: () => true,
      background: [xl.cpupools],
      sharedTasks: [xl.domains],
      collect: ({ out }) => {
        const names = domainLabels(xl.domains.last ?? []);
        // Schedulers are queried one after another, so a domain that moves between pools can appear twice.
        const added = new Set<number>();
        for (const { name, scheduler, cpus, parameters } of xl.cpupools.fresh ?? []) {
          const pool = out.labels(poolLabel, name);
          out.gauge(metrics.info, out.labels(metrics.info.labels, name, scheduler), 1);
          out.gauge(metrics.cpus, pool, cpus);
          out.gauge(metrics.timeslice, pool, parameters?.timesliceSeconds);
          out.gauge(metrics.ratelimit, pool, parameters?.ratelimitSeconds);
          out.gauge(metrics.migrationDelay, pool, parameters?.migrationDelaySeconds);
          for (const domain of parameters?.domains ?? []) {
            const label = names.get(domain.domid);
            if (label === undefined || added.has(domain.domid)) continue;
            added.add(domain.domid);
            const labels = out.labels(domainLabel, label);
            out.gauge(metrics.weight, labels, domain.weight);
            out.gauge(metrics.cap, labels, domain.capCpus);
            out.gauge(metrics.period, labels, domain.periodSeconds);
            out.gauge(metrics.budget, labels, domain.budgetSeconds);
            out.gauge(metrics.extratime, labels, domain.extratime === undefined ? undefined : Number(domain.extratime));
          }
        }
      },
    };
  },
});
