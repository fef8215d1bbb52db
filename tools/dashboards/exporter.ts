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
/** Of the exporters whose collectors take longest. */
const ofLongest = (expr: string): string => `${expr} and on (instance) ${longest}`;

const summary: Section = {
  panels: [
    stat({
      title: 'Exporters up',
      description: 'That Prometheus can scrape.',
      unit: 'short',
      decimals: 0,
      width: 4,
      query: [`sum(${select('up', chosen.exporter)})`, ''],
    }),
    stat({
      title: 'Exporters down',
      description: 'That Prometheus cannot scrape: XenExporterDown fires after a while.',
      unit: 'short',
      decimals: 0,
      width: 4,
      limits: noneAtAll(),
      query: [`sum(1 - ${select('up', chosen.exporter)})`, ''],
    }),
    stat({
      title: 'Collectors that fail',
      description:
        'Of all chosen exporters: XenExporterCollectorFailing fires after a while. What does not exist on a machine does not fail.',
      unit: 'short',
      decimals: 0,
      width: 4,
      limits: noneAtAll(),
      query: [`count(${failing}) or vector(0)`, ''],
    }),
    stat({
      title: 'Series',
      description: 'That the collectors of the chosen exporters give.',
      unit: 'none',
      decimals: 0,
      width: 4,
      query: [`sum(${of('collector_series')})`, ''],
    }),
    stat({
      title: 'Series dropped',
      description: 'Since the exporters started, because a collector had more than its limit (--collector.max-series).',
      unit: 'short',
      decimals: 0,
      width: 4,
      limits: noneAtAll(),
      query: [`sum(${of('series_dropped_total')}) or vector(0)`, ''],
    }),
    stat({
      title: 'Samples skipped',
      description:
        'Share of the samples that samplers were to take and did not: the process was late, or slowed down to stay within its CPU budget.',
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
      description: 'Those whose collectors take longest, as many as "At most" says.',
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
        'Of all chosen exporters: on how many machines each is available and fails, its longest duration, its series, and the age of the oldest reading that it serves.',
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
      description: 'Time that each collector takes in a scrape, on the machine where it takes longest.',
      unit: 's',
      width: 8,
      queries: [[most(`max by (collector) (${of('collector_duration_seconds')})`), '{{collector}}']],
    }),
    graph({
      title: 'Commands',
      description: 'Mean time that each command runs, of the exporters that run it.',
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
      description: 'Time in which 95 of 100 runs of each command end.',
      unit: 's',
      width: 8,
      queries: [
        [
          // What did not run has no quantile.
          `histogram_quantile(0.95, sum by (command, le) (${growth('command_duration_seconds_bucket')})) > 0`,
          '{{command}}',
        ],
      ],
    }),
    graph({
      title: 'Samples of one exporter',
      description: 'That each sampler takes a second, the mean of all chosen exporters that have it.',
      unit: 'cps',
      width: 8,
      queries: [[`avg by (sampler) (${growth('sampler_samples_total')})`, '{{sampler}}']],
    }),
    graph({
      title: 'CPU time of samplers',
      description: 'Of one CPU, on the machine where it is most.',
      unit: 'percentunit',
      decimals: 2,
      width: 8,
      queries: [[`max by (sampler) (${growth('sampler_cpu_seconds_total')})`, '{{sampler}}']],
    }),
    graph({
      title: 'Series',
      description: 'Of all chosen exporters, by collector.',
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
      description: 'Of one CPU, of the exporters that use most.',
      unit: 'percentunit',
      decimals: 1,
      width: 8,
      queries: [[most(`sum by (instance) (${rate('process_cpu_seconds_total', chosen.exporter)})`), '{{instance}}']],
    }),
    graph({
      title: 'Resident memory',
      description: 'Of the exporters that have most.',
      unit: 'bytes',
      width: 8,
      queries: [[most(ofProcess('process_resident_memory_bytes')), '{{instance}}']],
    }),
    graph({
      title: 'Event loop',
      description: 'Share of time that it spent on work, of the exporters where it is most.',
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
  description: 'Whether the exporters see what they should, and what that costs.',
  variables: exporterVariables(),
  alertsMarked: 'kind="meta"',
  sections: [summary, exporters, times, process, { title: 'Alerts', panels: [alertTable(24, 6, 'kind="meta"')] }],
};

export const exporter = dashboard(board);
