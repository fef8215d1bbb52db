import { parseCounter } from './integer.ts';
import { outputLines } from './output-lines.ts';
import { ParseError, quote } from './parse-error.ts';

/** The host. What is undefined, this xl did not print. */
export interface XlInfo {
  /** Physical CPUs (threads) online. */
  cpus: number;
  /** NUMA nodes. */
  nodes: number | undefined;
  coresPerSocket: number | undefined;
  threadsPerCore: number | undefined;
  cpuMhz: number | undefined;
  memoryBytes: number;
  /** Neither in use nor claimed. */
  freeMemoryBytes: number;
  /** CPUs in no cpupool. */
  freeCpus: number | undefined;
  /** `4.17.7`. */
  xenVersion: string;
  /** Of the first cpupool; others may have another. */
  scheduler: string;
  /** `hvm`, `hap`, `gnttab-v2`, ... */
  virtCaps: string[] | undefined;
  /** `x86_64`. */
  machine: string | undefined;
}

const bytesPerMebibyte = 1024 * 1024;

/** What `xl info` prints (tools/xl/xl_info.c): lines "%-23s: %s", whose values may have colons. Throws ParseError. */
export const parseXlInfo = (text: string): XlInfo => {
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
  const number = (key: string): number => parseCounter(required(key), key);
  const optional = (key: string): number | undefined => (values.has(key) ? number(key) : undefined);

  const cpuMhz = values.get('cpu_mhz');
  if (cpuMhz !== undefined && !/^\d{1,15}\.\d{3}$/.test(cpuMhz)) {
    throw new ParseError('a number for cpu_mhz', quote(cpuMhz, 'nothing'));
  }
  return {
    cpus: number('nr_cpus'),
    nodes: optional('nr_nodes'),
    coresPerSocket: optional('cores_per_socket'),
    threadsPerCore: optional('threads_per_core'),
    cpuMhz: cpuMhz === undefined ? undefined : Number(cpuMhz),
    memoryBytes: number('total_memory') * bytesPerMebibyte,
    freeMemoryBytes: number('free_memory') * bytesPerMebibyte,
    freeCpus: optional('free_cpus'),
    xenVersion: required('xen_version'),
    scheduler: required('xen_scheduler'),
    virtCaps: values
      .get('virt_caps')
      ?.split(' ')
      .filter((capability) => capability !== ''),
    machine: values.get('machine'),
  };
};
