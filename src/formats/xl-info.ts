import { parseCounter } from './integer.ts';
import { outputLines } from './output-lines.ts';
import { orSkip, ParseError, quote, refuse } from './parse-error.ts';

/** The host. Undefined values were not printed by this xl, or skipped. */
export interface XlInfo {
  /** Physical CPUs (threads) online. */
  cpus: number | undefined;
  /** NUMA nodes. */
  nodes: number | undefined;
  coresPerSocket: number | undefined;
  threadsPerCore: number | undefined;
  /** Integral before Xen 4.11 or so. */
  cpuMhz: number | undefined;
  memoryBytes: number | undefined;
  /** Neither used nor claimed. Undefined also if more is claimed than is free: xl then prints a number near 2^64. */
  freeMemoryBytes: number | undefined;
  /** CPUs in no cpupool. */
  freeCpus: number | undefined;
  /** Such as `4.17.7`. */
  xenVersion: string | undefined;
  /** Scheduler of the first cpupool. Others may differ. */
  scheduler: string | undefined;
  /** Such as `hvm`, `hap`, `gnttab-v2`. */
  virtCaps: string[] | undefined;
  /** Such as `x86_64`. */
  machine: string | undefined;
}

const bytesPerMebibyte = 1024 * 1024;

const bytesOf = (mebibytes: number | undefined): number | undefined =>
  mebibytes === undefined ? undefined : mebibytes * bytesPerMebibyte;

/** Up to Xen 4.2 only the parts of the version are printed. */
const versionOfParts = (values: ReadonlyMap<string, string>): string | undefined => {
  const [major, minor, extra = ''] = ['xen_major', 'xen_minor', 'xen_extra'].map((key) => values.get(key));
  return major && minor ? `${major}.${minor}${extra}` : undefined;
};

/**
 * Parses `xl info` (tools/xl/xl_info.c): lines "%-23s: %s", whose values may contain colons. Missing values that every
 * release prints, and broken values, go to `skip`. Throws ParseError.
 */
export const parseXlInfo = (text: string, skip = refuse): XlInfo => {
  const values = new Map<string, string>();
  for (const line of outputLines(text)) {
    const colon = line.indexOf(':');
    const key = line.slice(0, Math.max(colon, 0)).trimEnd();
    if (!values.has(key)) values.set(key, line.slice(colon + 1).trim());
  }
  const required = (key: string): string => {
    const value = values.get(key);
    if (value === undefined || value === '') throw new ParseError(`a line "${key} : ..."`, 'none');
    return value;
  };
  const number = (key: string): number | undefined => orSkip(skip, () => parseCounter(required(key), key));
  const optional = (key: string): number | undefined => (values.has(key) ? number(key) : undefined);
  const mhz = (digits: string): number => {
    if (!/^\d{1,15}(?:\.\d{1,3})?$/.test(digits))
      throw new ParseError('a number for cpu_mhz', quote(digits, 'nothing'));
    return Number(digits);
  };

  const cpuMhz = values.get('cpu_mhz');
  const cpus = number('nr_cpus');
  const memoryBytes = bytesOf(number('total_memory'));
  const freeMemoryBytes = bytesOf(number('free_memory'));
  return {
    cpus,
    nodes: optional('nr_nodes'),
    coresPerSocket: optional('cores_per_socket'),
    threadsPerCore: optional('threads_per_core'),
    cpuMhz: cpuMhz === undefined ? undefined : orSkip(skip, () => mhz(cpuMhz)),
    memoryBytes,
    freeMemoryBytes: (freeMemoryBytes ?? 0) > (memoryBytes ?? Infinity) ? undefined : freeMemoryBytes,
    freeCpus: optional('free_cpus'),
    xenVersion: (values.get('xen_version') || versionOfParts(values)) ?? orSkip(skip, () => required('xen_version')),
    scheduler: orSkip(skip, () => required('xen_scheduler')),
    virtCaps: values
      .get('virt_caps')
      ?.split(' ')
      .filter((capability) => capability !== ''),
    machine: values.get('machine'),
  };
};
