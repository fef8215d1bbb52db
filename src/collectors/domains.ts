import { bounds } from '../metrics/bounds.ts';
import { Unavailable } from '../host/unavailable.ts';
import type { XlDomain } from '../formats/xl-list.ts';
import { parseXlVcpuList, type XlVcpu } from '../formats/xl-vcpu-list.ts';
import { counter, gauge } from '../metrics/descriptor.ts';
import { absentCollector, defineCollector } from './collector.ts';
import { domainLabels, uuidOwners } from '../sources/toolstack/domain-directory.ts';
import type { Xl } from '../sources/toolstack/toolstack.ts';

const xlList = { source: 'xl list -v', versions: 'domctl getdomaininfo; formats of Xen 4.17' } as const;
const xlVcpuList = { source: 'xl vcpu-list', versions: 'domctl getvcpuinfo; formats of Xen 4.17' } as const;
const goesOn = 'Continues when the guest reboots';
const domainLabel = ['domain'] as const;
const domainStateLabels = ['domain', 'state'] as const;
const zeroUuid = '00000000-0000-0000-0000-000000000000';

const domainStates = ['running', 'blocked', 'paused', 'shutdown', 'crashed', 'dying'] as const;
const observedStates = ['running', 'blocked', 'runnable'] as const;
type ObservedState = (typeof observedStates)[number];

const metrics = {
  info: gauge('xen_domain_info', {
    meaning:
      'Constant 1. A domain: its domid, its uuid (joins with xen_guest_info of the guest itself; empty for Dom0, whose uuid is zero on every host, and for the leftover of a migration), type pv, pvh or hvm (empty until known) and cpupool.',
    labels: ['domain', 'domid', 'uuid', 'type', 'pool'],
    source: 'xl list -v, xl list -l, xl sched-*',
    versions: 'Xen 4.17',
  }),
  state: gauge('xen_domain_state', {
    meaning:
      'Whether Xen gives the domain this state, 0 or 1. Running and blocked describe its vCPUs at that moment. A domain with neither has a vCPU that waits for a CPU.',
    labels: domainStateLabels,
    ...xlList,
  }),
  cpuSeconds: counter('xen_domain_cpu_seconds_total', {
    meaning: `CPU time of all vCPUs of the domain, in seconds; the resolution is 0.1 s. ${goesOn}.`,
    labels: domainLabel,
    ...xlList,
    bounds: bounds.vcpuTenths,
  }),
  vcpuSeconds: counter('xen_domain_vcpu_cpu_seconds_total', {
    meaning: `CPU time of each vCPU, in seconds; the resolution is 0.1 s. ${goesOn}.`,
    labels: ['domain', 'vcpu'],
    ...xlVcpuList,
    bounds: bounds.vcpuTenths,
  }),
  vcpus: gauge('xen_domain_vcpus', {
    meaning: 'Virtual CPUs of the domain that are online, and offline.',
    labels: domainStateLabels,
    ...xlVcpuList,
  }),
  observations: counter('xen_domain_vcpu_observations_total', {
    meaning: `Observations of the domain's vCPUs in each state: running, blocked (with nothing to do) or runnable (ready, while its physical CPU runs another vCPU). Runnable divided by all is the share of time that the domain waits for a CPU. Observed in the background every few seconds. ${goesOn}. Not counted: domains that are paused, shut down or being created, and HVM guests, whose vCPUs look runnable also while they wait for their device model.`,
    labels: domainStateLabels,
    ...xlVcpuList,
    bounds: bounds.observations,
  }),
  memory: gauge('xen_domain_memory_bytes', {
    meaning: 'Memory that the domain has, in bytes.',
    labels: domainLabel,
    ...xlList,
  }),
  memoryLimit: gauge('xen_domain_memory_limit_bytes', {
    meaning: 'Configured memory limit of the domain, in bytes. Absent if unknown.',
    labels: domainLabel,
    source: 'max_memkb of xl list -l',
    versions: 'Xen 4.17',
  }),
};

// In whole tenths, as xl prints them: sums of fractions would show rounding errors.
const tenthsPerSecond = 10;
const tenths = (seconds: number): number => Math.round(seconds * tenthsPerSecond);

/** Counts observed states of vCPUs by domid. */
class Observations {
  #counts = new Map<number, Record<ObservedState, number>>();

  /** Adds one observation of all vCPUs, limited to the domains in `counted`. */
  add(vcpus: readonly XlVcpu[], counted: ReadonlySet<number>): void {
    for (const { domid, state } of vcpus) {
      if (state === 'offline' || !counted.has(domid)) continue;
      const counts = this.#counts.get(domid) ?? { running: 0, blocked: 0, runnable: 0 };
      this.#counts.set(domid, counts);
      counts[state] += 1;
    }
  }

  of(domid: number): Readonly<Record<ObservedState, number>> | undefined {
    return this.#counts.get(domid);
  }

  keepOnly(domains: readonly XlDomain[]): void {
    const kept = domains.flatMap(({ domid }) => {
      const counts = this.#counts.get(domid);
      return counts ? [[domid, counts] as const] : [];
    });
    this.#counts = new Map(kept);
  }
}

/** Domains in which a runnable vCPU waits for a CPU. */
const contendingDomains = (xl: Xl): Set<number> => {
  const types = new Map(xl.configs.last?.map(({ domid, type }) => [domid, type]));
  const contending = (xl.domains.fresh ?? []).filter(({ domid, states, onlineVcpus }) => {
    const { paused, shutdown, crashed, dying } = states;
    const type = types.get(domid);
    return !paused && !shutdown && !crashed && !dying && onlineVcpus > 0 && (type === 'pv' || type === 'pvh');
  });
  return new Set(contending.map(({ domid }) => domid));
};

/** The domains of this host, according to Xen and the toolstack. */
export const domains = defineCollector({
  name: 'domains',
  help: 'State, CPU time, vCPUs and memory of every domain, and how often its vCPUs wait for a CPU, from xl.',
  enabledByDefault: true,
  maxSeries: 20_000,
  options: {},
  metrics: Object.values(metrics),
  create: ({ toolstack }) => {
    const { xl } = toolstack;
    if (xl instanceof Unavailable) return absentCollector(xl);

    const observations = new Observations();
    const vcpus = toolstack.reading('xl vcpu-list', toolstack.guarded, async (doubt) => {
      const check = xl.expectDomains();
      const reading = await xl.read(['vcpu-list'], parseXlVcpuList, doubt);
      await check('xl vcpu-list', reading, doubt);
      observations.add(reading, contendingDomains(xl));
      return reading;
    });
    const vcpusOf = (): Map<number, XlVcpu[]> => Map.groupBy(vcpus.fresh ?? [], ({ domid }) => domid);

    return {
      availability: () => true,
      background: [xl.domains, xl.configs, xl.cpupools, vcpus],
      collect: ({ out }) => {
        const list = xl.domains.fresh ?? [];
        observations.keepOnly(xl.domains.last ?? []);
        const names = domainLabels(list);
        const owners = uuidOwners(list);
        const configs = new Map(xl.configs.fresh?.map((config) => [config.domid, config]));
        const pools = new Map(
          xl.cpupools.fresh?.flatMap(({ name, parameters }) =>
            (parameters?.domains ?? []).map(({ domid }) => [domid, name] as const),
          ),
        );
        const byDomid = vcpusOf();
        for (const { domid, uuid, states, cpuSeconds, memoryBytes, onlineVcpus } of list) {
          // Stub domains count as domains: their vCPUs, weight and memory are not the guest's.
          const domain = names.get(domid);
          if (domain === undefined) continue;
          const config = configs.get(domid);
          const labels = out.labels(domainLabel, domain);
          const sharedUuid = uuid === zeroUuid || owners.get(uuid) !== domid ? '' : uuid;
          const info = out.labels(
            metrics.info.labels,
            domain,
            String(domid),
            sharedUuid,
            config?.type ?? '',
            pools.get(domid) ?? '',
          );
          out.gauge(metrics.info, info, 1);
          for (const state of domainStates) {
            out.gauge(metrics.state, out.labels(domainStateLabels, domain, state), states[state] ? 1 : 0);
          }
          out.gauge(metrics.memory, labels, memoryBytes);
          out.gauge(metrics.memoryLimit, labels, config?.maxMemoryBytes);
          const ofDomain = byDomid.get(domid);
          if (ofDomain) {
            const offline = ofDomain.filter(({ state }) => state === 'offline').length;
            out.gauge(metrics.vcpus, out.labels(domainStateLabels, domain, 'online'), ofDomain.length - offline);
            out.gauge(metrics.vcpus, out.labels(domainStateLabels, domain, 'offline'), offline);
          }
          out.counter(metrics.cpuSeconds, labels, {
            source: String(domid),
            reads: tenths(cpuSeconds),
            at: xl.domains.taken?.at,
            took: xl.domains.taken?.took,
            count: Math.max(1, onlineVcpus),
            unitsPer: tenthsPerSecond,
          });
          for (const { vcpu, cpuSeconds } of ofDomain ?? []) {
            out.counter(metrics.vcpuSeconds, out.labels(metrics.vcpuSeconds.labels, domain, String(vcpu)), {
              source: `${domid} ${vcpu}`,
              reads: tenths(cpuSeconds),
              at: vcpus.taken?.at,
              took: vcpus.taken?.took,
              unitsPer: tenthsPerSecond,
            });
          }
          const seen = observations.of(domid);
          for (const state of observedStates) {
            const source = `${domid} ${state}`;
            out.counter(metrics.observations, out.labels(domainStateLabels, domain, state), {
              source,
              reads: seen?.[state],
            });
          }
        }
      },
    };
  },
});
