import { Unavailable } from '../host/unavailable.ts';
import type { XlDomain } from '../formats/xl-list.ts';
import { parseXlVcpuList, type XlVcpu } from '../formats/xl-vcpu-list.ts';
import { growthOfU64 } from '../metrics/accumulator.ts';
import { counter, gauge } from '../metrics/descriptor.ts';
import { LabelSets } from '../metrics/labels.ts';
import { SummedCounter } from '../metrics/summed-counter.ts';
import { absentCollector, defineCollector } from './collector.ts';
import { domainLabels } from '../sources/toolstack/domain-directory.ts';
import type { Xl } from '../sources/toolstack/toolstack.ts';

const xlList = 'Source: xl list -v (domctl getdomaininfo; formats of Xen 4.17)';
const xlVcpuList = 'Source: xl vcpu-list (domctl getvcpuinfo; formats of Xen 4.17)';
const goesOn = 'Goes on when the guest reboots';
const domainLabel = ['domain'] as const;
const zeroUuid = '00000000-0000-0000-0000-000000000000';

const domainStates = ['running', 'blocked', 'paused', 'shutdown', 'crashed', 'dying'] as const;
const observedStates = ['running', 'blocked', 'runnable'] as const;
type ObservedState = (typeof observedStates)[number];

const metrics = {
  info: gauge(
    'xen_domain_info',
    'Constant 1. A domain: its domid, its uuid (joins with xen_guest_info of the guest itself; empty for Dom0, whose uuid is zero on every host), type pv, pvh or hvm (empty until known) and cpupool. Source: xl list -v, xl list -l, xl sched-* (Xen 4.17).',
    ['domain', 'domid', 'uuid', 'type', 'pool'],
  ),
  state: gauge(
    'xen_domain_state',
    `Whether Xen gives the domain this state, 0 or 1. Running and blocked are what its vCPUs did at that moment; a domain with neither has one that waits for a CPU. ${xlList}.`,
    ['domain', 'state'],
  ),
  cpuSeconds: counter(
    'xen_domain_cpu_seconds_total',
    `CPU time of all vCPUs of the domain, in seconds; the resolution is 0.1 s. ${goesOn}. ${xlList}.`,
    domainLabel,
  ),
  vcpuSeconds: counter(
    'xen_domain_vcpu_cpu_seconds_total',
    `CPU time of each vCPU, in seconds; the resolution is 0.1 s. ${goesOn}. ${xlVcpuList}.`,
    ['domain', 'vcpu'],
  ),
  vcpus: gauge('xen_domain_vcpus', `Virtual CPUs of the domain that are online, and offline. ${xlVcpuList}.`, [
    'domain',
    'state',
  ]),
  observations: counter(
    'xen_domain_vcpu_observations_total',
    `How often a vCPU of the domain was seen running, blocked (with nothing to do) or runnable, which is ready to run while the physical CPU runs another: runnable over all is the share of time that the domain waits for a CPU. Looked at in the background every few seconds. ${goesOn}. Not counted: domains that are paused, shut down or being created, and HVM guests, whose vCPUs look runnable also while they wait for their device model. ${xlVcpuList}.`,
    ['domain', 'state'],
  ),
  memory: gauge('xen_domain_memory_bytes', `Memory that the domain has, in bytes. ${xlList}.`, domainLabel),
  memoryLimit: gauge(
    'xen_domain_memory_limit_bytes',
    'Memory that the domain was configured to have at most, in bytes; absent where unknown. Source: max_memkb of xl list -l (Xen 4.17).',
    domainLabel,
  ),
};

// Counted in whole tenths, as xl prints them: sums of fractions would end in odd digits.
const tenths = (seconds: number): number => Math.round(seconds * 10);
const seconds = (tenths: number): number => tenths / 10;

/** Counts what vCPUs were seen doing, by domid. */
class Observations {
  #counts = new Map<number, Record<ObservedState, number>>();

  /** Adds one look at all vCPUs; only those of the domains in `counted` count. */
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

/** The domains whose runnable vCPUs are those that wait for a CPU. */
const contendingDomains = (xl: Xl): Set<number> => {
  const types = new Map(xl.configs.last?.map(({ domid, type }) => [domid, type]));
  const contending = (xl.domains.fresh ?? []).filter(({ domid, states, onlineVcpus }) => {
    const { paused, shutdown, crashed, dying } = states;
    const type = types.get(domid);
    return !paused && !shutdown && !crashed && !dying && onlineVcpus > 0 && (type === 'pv' || type === 'pvh');
  });
  return new Set(contending.map(({ domid }) => domid));
};

/** The domains of this host, as Xen counts and the toolstack knows them. */
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
    const vcpus = toolstack.reading(toolstack.guarded, async () => {
      const reading = await xl.read(['vcpu-list'], parseXlVcpuList);
      observations.add(reading, contendingDomains(xl));
      return reading;
    });
    const cpuSeconds = new SummedCounter(metrics.cpuSeconds, growthOfU64);
    const vcpuSeconds = new SummedCounter(metrics.vcpuSeconds, growthOfU64);
    const observed = new SummedCounter(metrics.observations, growthOfU64);
    const infoLabels = new LabelSets(metrics.info.labels);
    const labelSets = new LabelSets(domainLabel);
    const vcpuLabels = new LabelSets(metrics.vcpuSeconds.labels);
    const stateLabels = new LabelSets(metrics.state.labels);
    const vcpusOf = (): Map<number, XlVcpu[]> => Map.groupBy(vcpus.fresh ?? [], ({ domid }) => domid);

    return {
      availability: () => true,
      background: [xl.domains, xl.configs, xl.cpupools, vcpus],
      collect: ({ out }) => {
        const list = xl.domains.fresh ?? [];
        observations.keepOnly(xl.domains.last ?? []);
        const names = domainLabels(list);
        const configs = new Map(xl.configs.fresh?.map((config) => [config.domid, config]));
        const pools = new Map(
          xl.cpupools.fresh?.flatMap(({ name, parameters }) =>
            (parameters?.domains ?? []).map(({ domid }) => [domid, name] as const),
          ),
        );
        const byDomid = vcpusOf();
        for (const { domid, uuid, states, cpuSeconds: ofAllVcpus, memoryBytes } of list) {
          // A stub domain is a domain of its own here: it has vCPUs, weight and memory that are not its guest's.
          const domain = names.get(domid);
          if (domain === undefined) continue;
          const config = configs.get(domid);
          const labels = labelSets.get(domain);
          const sharedUuid = uuid === zeroUuid ? '' : uuid;
          const info = infoLabels.get(domain, String(domid), sharedUuid, config?.type ?? '', pools.get(domid) ?? '');
          out.add(metrics.info, info, 1);
          for (const state of domainStates) {
            out.add(metrics.state, stateLabels.get(domain, state), states[state] ? 1 : 0);
          }
          cpuSeconds.feed(labels, String(domid), tenths(ofAllVcpus));
          out.add(metrics.memory, labels, memoryBytes);
          out.add(metrics.memoryLimit, labels, config?.maxMemoryBytes);
          const seen = observations.of(domid);
          for (const state of observedStates) {
            observed.feed(stateLabels.get(domain, state), `${domid} ${state}`, seen?.[state]);
          }
          const ofDomain = byDomid.get(domid);
          if (ofDomain === undefined) continue;
          const offline = ofDomain.filter(({ state }) => state === 'offline').length;
          out.add(metrics.vcpus, stateLabels.get(domain, 'online'), ofDomain.length - offline);
          out.add(metrics.vcpus, stateLabels.get(domain, 'offline'), offline);
          for (const { vcpu, cpuSeconds } of ofDomain) {
            vcpuSeconds.feed(vcpuLabels.get(domain, String(vcpu)), `${domid} ${vcpu}`, tenths(cpuSeconds));
          }
        }
        cpuSeconds.flush(out, seconds);
        vcpuSeconds.flush(out, seconds);
        observed.flush(out);
        [infoLabels, labelSets, vcpuLabels, stateLabels].forEach((labels) => labels.sweep());
      },
    };
  },
});
