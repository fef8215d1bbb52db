import { counter, gauge, histogram, type Descriptor } from '../metrics/descriptor.ts';

/** What the exporter says of itself. */
export const metrics = {
  buildInfo: gauge(
    'xen_exporter_build_info',
    'Constant 1, labelled with the version of xen-exporter and of the Node.js that runs it.',
    ['version', 'node_version'],
  ),
  duration: gauge(
    'xen_exporter_collector_duration_seconds',
    'Time that the collector took in this scrape, in seconds.',
    ['collector'],
  ),
  success: gauge(
    'xen_exporter_collector_success',
    'Whether the collector (and its background work) last ran without an error: 1, else 0. A collector that does not apply here has not failed: 1.',
    ['collector'],
  ),
  available: gauge(
    'xen_exporter_collector_available',
    'Whether what the collector reads exists on this machine: 1, else 0 (the landing page says why).',
    ['collector'],
  ),
  series: gauge('xen_exporter_collector_series', 'Series that the collector gave in this scrape.', ['collector']),
  lastSuccess: gauge(
    'xen_exporter_collector_last_success_timestamp_seconds',
    'When the collector last ran without an error, in seconds since 1970; absent until it has. Where it reads in the background: when the oldest reading that it serves was taken.',
    ['collector'],
  ),
  seriesDropped: counter(
    'xen_exporter_series_dropped_total',
    'Series left out because the collector had more than its limit (--collector.max-series); counted once per scrape.',
    ['collector'],
  ),
  commandDuration: histogram(
    'xen_exporter_command_duration_seconds',
    'Time that each command ran, in seconds: also those that failed, and those that were killed at their deadline.',
    ['command'],
  ),
  helperUp: gauge(
    'xen_exporter_helper_up',
    'Whether the helper, which reads what only root can, answers: 1, else 0. Asked every few seconds. Absent without --privileged-reads=helper.',
  ),
  helperResident: gauge(
    'xen_exporter_helper_resident_memory_bytes',
    'Resident memory of the helper, in bytes; process_resident_memory_bytes is that of the exporter. Absent while it does not answer.',
  ),
  helperCpu: counter(
    'xen_exporter_helper_cpu_seconds_total',
    'User and system CPU time of the helper, in seconds, without that of the programs that it runs. Absent while it does not answer.',
  ),
  webConnections: gauge('xen_exporter_web_connections', 'Connections of clients that are open.'),
  webRefused: counter(
    'xen_exporter_web_refused_total',
    'Connections and requests that were turned away, by reason; docs/security.md has the reasons.',
    ['reason'],
  ),
  webConfigSuccess: gauge(
    'xen_exporter_web_config_last_reload_successful',
    'Whether the web config file, as it is now, could be read: 1; 0 while the last good one is kept. Absent without --web.config.file.',
  ),
  webConfigLastSuccess: gauge(
    'xen_exporter_web_config_last_reload_success_timestamp_seconds',
    'When the web config file was last read without an error, in seconds since 1970. Absent without --web.config.file.',
  ),
  webCertificateExpiry: gauge(
    'xen_exporter_web_certificate_expiry_timestamp_seconds',
    'When the certificate that the exporter shows to its clients ends, in seconds since 1970. Absent without TLS.',
  ),
  samples: counter('xen_exporter_sampler_samples_total', 'Samples that the sampler took.', ['sampler']),
  skippedSamples: counter(
    'xen_exporter_sampler_skipped_samples_total',
    'Samples that the sampler was to take but did not: the process was late, or the sampler slowed down to stay within its CPU budget.',
    ['sampler'],
  ),
  samplerCpu: counter(
    'xen_exporter_sampler_cpu_seconds_total',
    'CPU time of this process while the sampler took its samples, in seconds (getrusage(2)).',
    ['sampler'],
  ),
} as const;

export const exporterMetrics: readonly Descriptor[] = Object.values(metrics);
