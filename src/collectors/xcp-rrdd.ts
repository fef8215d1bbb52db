import { bounds } from '../metrics/bounds.ts';
import { Unavailable } from '../host/unavailable.ts';
import { parseXcpRrdd, xcpRrddBytes, type XcpRrddReading } from '../formats/xcp-rrdd.ts';
import type { Clock } from '../host/clock.ts';
import type { FileTree } from '../host/file-tree.ts';
import { counter } from '../metrics/descriptor.ts';
import type { Labels } from '../metrics/labels.ts';
import { defineCollector } from './collector.ts';
import { naming, needs } from '../sources/parsed.ts';
import { domainLabels, uuidOwners } from '../sources/toolstack/domain-directory.ts';
import type { Toolstack } from '../sources/toolstack/toolstack.ts';

const file = 'xcp-rrdd-cpu';
// The file is sized for the most VMs that xapi supports, some 20 MiB. Only its beginning is used (rrdp_cpu.ml).
const maxBytes = 64 << 20;
const maxReads = 3;
const staleSeconds = 60;

// Names by xcp-rrdd (ocaml/xcp-rrdd/bin/rrdp-cpu/rrdp_cpu.ml). Xen gets these states from mixed-domain-runstates.patch
// of XenServer and XCP-ng.
const prefix = 'runstate_';
const states: ReadonlySet<string> = new Set([
  'fullrun',
  'full_contention',
  'concurrency_hazard',
  'blocked',
  'partial_run',
  'partial_contention',
]);

const runstates = counter('xen_xapi_domain_runstate_seconds_total', {
  meaning:
    'Time that the domain has been in this state since it was created, in seconds. States of its vCPUs: in fullrun all running, in full_contention all waiting for a CPU, in concurrency_hazard some running and some waiting, in blocked all blocked or offline, in partial_run some running and some blocked, in partial_contention some waiting and some blocked. A domain is in one state at a time: while one vCPU of sixteen waits, the whole time counts as contention. The sum of the states may drift from the age of the domain.',
  labels: ['domain', 'state'],
  source: '/dev/shm/metrics/xcp-rrdd-cpu',
  versions: 'XCP-ng 8.3 and recent XenServer: xapi 24.39 and later',
  bounds: bounds.seconds,
});

/** The plugin writes in place, so a reading during a write fails and the next one succeeds. */
const read = (files: FileTree): XcpRrddReading => {
  for (let reads = 1; ; reads += 1) {
    const bytes = files.bytesUntil(file, (beginning) => beginning.length >= xcpRrddBytes(beginning), maxBytes);
    try {
      return naming(files.path(file), () => parseXcpRrdd(bytes));
    } catch (error) {
      if (reads === maxReads) throw error;
    }
  }
};

/**
 * Returns a function that converts the file's wall-time timestamp to its age in seconds. The wall clock may be set, so
 * it counts only when a timestamp is first seen; afterwards the monotonic clock does.
 */
const ageByTimestamp = ({ wallSeconds, monotonicSeconds }: Clock): ((timestampSeconds: number) => number) => {
  let last: { timestampSeconds: number; writtenAt: number } | undefined;
  return (timestampSeconds) => {
    const now = monotonicSeconds();
    if (last?.timestampSeconds !== timestampSeconds) {
      last = { timestampSeconds, writtenAt: now - Math.max(0, wallSeconds() - timestampSeconds) };
    }
    return now - last.writtenAt;
  };
};

/** Maps a VM's uuid to its label; undefined while xl does not list it. */
const labelOf = ({ xl }: Toolstack): ((uuid: string) => string | undefined) => {
  if (xl instanceof Unavailable) return (uuid) => `uuid:${uuid}`;
  const domains = xl.domains.last ?? [];
  const labels = domainLabels(domains);
  // While a VM reboots or migrates, two domains may have its uuid.
  const owners = uuidOwners(domains);
  return (uuid) => {
    const domid = owners.get(uuid);
    return domid === undefined ? undefined : labels.get(domid);
  };
};

/** Run states that xl lacks: CPU waits of vCPUs in the Xen of XCP-ng and XenServer. */
export const xcpRrdd = defineCollector({
  name: 'xcp-rrdd',
  help: 'Time that every domain spent running, blocked and waiting for a CPU, from xcp-rrdd of XCP-ng and XenServer.',
  enabledByDefault: true,
  maxSeries: 5000,
  options: {},
  metrics: [runstates],
  create: ({ host, toolstack }) => {
    const ageOf = ageByTimestamp(host.clock);
    return {
      availability: () => needs(host.rrdMetrics, file),
      sharedTasks: toolstack.naming,
      collect: ({ host: { rrdMetrics }, out }) => {
        const { timestampSeconds, datasources } = read(rrdMetrics);
        const age = ageOf(timestampSeconds);
        if (age > staleSeconds) {
          throw new Error(
            `${rrdMetrics.path(file)}: expected a timestamp at most ${staleSeconds} s old, found one ${Math.round(age)} s old: its plugin has died or overflows the file`,
          );
        }
        const label = labelOf(toolstack);
        const added = new Set<Labels>();
        for (const { name, vm, value } of datasources) {
          const state = name.slice(prefix.length);
          const domain = name.startsWith(prefix) && states.has(state) ? label(vm) : undefined;
          if (domain === undefined) continue;
          const labels = out.labels(runstates.labels, domain, state);
          if (added.has(labels)) continue;
          added.add(labels);
          out.counter(runstates, labels, { reads: value, took: age });
        }
      },
    };
  },
});
