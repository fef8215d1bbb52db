import { dashboardUids } from '../../src/pack/dashboards.ts';
import { alertTable } from './alert-tables.ts';
import { dashboard, type Board, type Section } from './board.ts';
import { toExporter } from './links.ts';
import { graph, stat, table } from './panels.ts';
import { chosen, most, rate, select } from './promql.ts';
import { noneAtAll } from './thresholds.ts';
import { exporterVariables } from './variables.ts';

const of = (name: string, ...matchers: readonly string[]): string =>
  select(`xen_exporter_${name}`, chosen.exporter, ...matchers);
const growth = (name: string, ...matchers: readonly string[]): string =>
  rate(`xen_exporter_${name}`, chosen.exporter, ...matchers);
const failing = `(${of('collector_success')} == 0)`;
const ofProcess = (name: string): string => `max by (instance) (${select(name, chosen.exporter)})`;

const longest = most(`sum by (instance) (${of('collector_duration_seconds')})`);
/** Keeps the exporters with the longest collector times. */
const ofLongest = (expr: string): string => `${expr} and on (instance) ${longest}`;

const summary: Section = {
  panels: [
    stat({
      title: 'Exporters up',
      description: 'Exporters that Prometheus can scrape.',
      unit: 'short',
      decimals: 0,
      width: 4,
      query: [`sum(${select('up', chosen.exporter)})`, ''],
    }),
    stat({
      title: 'Exporters down',
      description: 'Exporters that Prometheus cannot scrape. XenExporterDown fires after a few minutes.',
      unit: 'short',
      decimals: 0,
      width: 4,
      limits: noneAtAll(),
      query: [`sum(1 - ${select('up', chosen.exporter)})`, ''],
    }),
    stat({
      title: 'Collectors that fail',
      description:
        'Failing collectors of all chosen exporters. XenExporterCollectorFailing fires after a few minutes. Collectors that do not apply do not fail.',
      unit: 'short',
      decimals: 0,
      width: 4,
      limits: noneAtAll(),
      query: [`count(${failing}) or vector(0)`, ''],
    }),
    stat({
      title: 'Series',
      description: 'Series that the collectors of the chosen exporters export.',
      unit: 'none',
      decimals: 0,
      width: 4,
      query: [`sum(${of('collector_series')})`, ''],
    }),
    stat({
      title: 'Series dropped',
      description:
        'Series dropped since the exporters started, because a collector exceeded its limit (--collector.max-series).',
      unit: 'short',
      decimals: 0,
      width: 4,
      limits: noneAtAll(),
      query: [`sum(${of('series_dropped_total')}) or vector(0)`, ''],
    }),
    stat({
      title: 'Samples skipped',
      description:
        'Share of planned samples that samplers skipped: the process was late, or slowed down to stay within its CPU budget.',
      unit: 'percentunit',
      decimals: 1,
      width: 4,
      query: [
        `sum(${growth('sampler_skipped_samples_total')}) / (sum(${growth('sampler_samples_total')}) + sum(${growth('sampler_skipped_samples_total')}))`,
        '',
      ],
    }),
  ],
};

const exporters: Section = {
  title: 'Exporters and collectors',
  panels: [
    table({
      title: 'Exporters',
      description: 'Exporters with the longest collector times, limited by "At most".',
      width: 12,
      height: 10,
      labels: [{ label: 'instance', name: 'Exporter', link: toExporter('Exporter') }],
      values: [
        {
          name: 'Collectors take',
          expr: longest,
          unit: 's',
          decimals: 1,
        },
        { name: 'Series', expr: ofLongest(`sum by (instance) (${of('collector_series')})`), unit: 'none' },
        {
          name: 'Fail',
          expr: ofLongest(`(count by (instance) (${failing}) or 0 * max by (instance) (${of('build_info')}))`),
          decimals: 0,
          limits: noneAtAll(),
        },
        { name: 'Memory', expr: ofLongest(ofProcess('process_resident_memory_bytes')), unit: 'bytes' },
        { name: 'Up', expr: ofLongest(`time() - ${ofProcess('process_start_time_seconds')}`), unit: 's', decimals: 0 },
      ],
      sortBy: 'Collectors take',
    }),
    table({
      title: 'Collectors',
      description:
        'For each collector of the chosen exporters: number of machines on which it is available and fails, longest duration, series, and age of its oldest reading.',
      width: 12,
      height: 10,
      labels: [{ label: 'collector', name: 'Collector' }],
      values: [
        { name: 'Available', expr: `sum by (collector) (${of('collector_available')})`, decimals: 0 },
        {
          name: 'Fail',
          expr: `count by (collector) (${failing}) or 0 * sum by (collector) (${of('collector_available')})`,
          decimals: 0,
          limits: noneAtAll(),
        },
        { name: 'Longest', expr: `max by (collector) (${of('collector_duration_seconds')})`, unit: 's', decimals: 1 },
        { name: 'Series', expr: `sum by (collector) (${of('collector_series')})`, decimals: 0 },
        {
          name: 'Oldest reading',
          expr: `time() - min by (collector) (${of('collector_last_success_timestamp_seconds')})`,
          unit: 's',
          decimals: 0,
        },
      ],
      sortBy: 'Series',
    }),
  ],
};

const times: Section = {
  title: 'Time',
  panels: [
    graph({
      title: 'Collectors',
      description: 'Duration of each collector in a scrape, on the slowest machine.',
      unit: 's',
      width: 8,
      queries: [[most(`max by (collector) (${of('collector_duration_seconds')})`), '{{collector}}']],
    }),
    graph({
      title: 'Commands',
      description: 'Mean duration of each command.',
      unit: 's',
      width: 8,
      queries: [
        [
          `sum by (command) (${growth('command_duration_seconds_sum')}) / (sum by (command) (${growth('command_duration_seconds_count')}) > 0)`,
          '{{command}}',
        ],
      ],
    }),
    graph({
      title: 'Slow commands',
      description: 'Duration that 95 % of the runs of each command do not exceed.',
      unit: 's',
      width: 8,
      queries: [
        [
          // A command that did not run has no quantile.
          `histogram_quantile(0.95, sum by (command, le) (${growth('command_duration_seconds_bucket')})) > 0`,
          '{{command}}',
        ],
      ],
    }),
    graph({
      title: 'Samples of one exporter',
      description: 'Samples per second of each sampler, as the mean of the chosen exporters.',
      unit: 'cps',
      width: 8,
      queries: [[`avg by (sampler) (${growth('sampler_samples_total')})`, '{{sampler}}']],
    }),
    graph({
      title: 'CPU time of samplers',
      description: 'Share of one CPU, on the machine with the highest value.',
      unit: 'percentunit',
      decimals: 2,
      width: 8,
      queries: [[`max by (sampler) (${growth('sampler_cpu_seconds_total')})`, '{{sampler}}']],
    }),
    graph({
      title: 'Series',
      description: 'Series of all chosen exporters by collector.',
      unit: 'short',
      decimals: 0,
      stacked: true,
      width: 8,
      queries: [[`sum by (collector) (${of('collector_series')})`, '{{collector}}']],
    }),
  ],
};

const process: Section = {
  title: 'Process',
  panels: [
    graph({
      title: 'CPU time',
      description: 'Share of one CPU, for the exporters with the highest values.',
      unit: 'percentunit',
      decimals: 1,
      width: 8,
      queries: [[most(`sum by (instance) (${rate('process_cpu_seconds_total', chosen.exporter)})`), '{{instance}}']],
    }),
    graph({
      title: 'Resident memory',
      description: 'For the exporters with the highest values.',
      unit: 'bytes',
      width: 8,
      queries: [[most(ofProcess('process_resident_memory_bytes')), '{{instance}}']],
    }),
    graph({
      title: 'Event loop',
      description: 'Share of time in which the event loop is busy, for the exporters with the highest values.',
      unit: 'percentunit',
      decimals: 1,
      width: 8,
      queries: [
        [most(`sum by (instance) (${rate('nodejs_eventloop_active_seconds_total', chosen.exporter)})`), '{{instance}}'],
      ],
    }),
  ],
};

const board: Board = {
  uid: dashboardUids.exporter,
  title: 'Xen / Exporter health',
  description: 'Whether the exporters work, and what they cost.',
  variables: exporterVariables(),
  alertsMarked: 'kind="meta"',
  sections: [summary, exporters, times, process, { title: 'Alerts', panels: [alertTable(24, 6, 'kind="meta"')] }],
};

export const exporter = dashboard(board);
