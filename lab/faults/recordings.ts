// The recordings of faults that the repository holds, in lab/recordings.
import { readdirSync, readFileSync } from 'node:fs';
import { gunzipSync } from 'node:zlib';
import { globalOptions } from '../../src/config/global-options.ts';
import { defaultPackOptions } from '../../src/pack/pack.ts';
import { roleOf } from '../harness/lab.ts';
import type { RecordedFault } from './recorded-fault.ts';

const folder = new URL('../recordings/', import.meta.url);
const [listenAddress = ''] = globalOptions['web.listen-address'].default;
const port = /\d+$/.exec(listenAddress)![0];

/**
 * A recorded series with the labels that its target has in Prometheus. Recordings hold the machine's name only, so they
 * stay valid when target labels change.
 */
export const withTargetLabels = (series: string): string =>
  series
    .replace(
      /\bmachine="(\w+)"/,
      (_, machine: string) =>
        `job="${defaultPackOptions.job}",instance="${machine}:${port}",xen_role="${roleOf(machine)}"`,
    )
    .replace('port="exporter"', `port="${port}"`);

const read = (file: string): RecordedFault => {
  const fault = JSON.parse(gunzipSync(readFileSync(new URL(file, folder))).toString()) as RecordedFault;
  const series = Object.entries(fault.series).map(([name, values]) => [withTargetLabels(name), values] as const);
  return { ...fault, series: Object.fromEntries(series) };
};

/** All recordings by name: scheduler and fault. */
export const recordings: ReadonlyMap<string, RecordedFault> = new Map(
  readdirSync(folder)
    .filter((name) => name.endsWith('.json.gz'))
    .sort()
    .map((name) => [name.replace('.json.gz', ''), read(name)]),
);
