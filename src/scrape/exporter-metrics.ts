import { gauge, histogram, total, type Descriptor } from '../metrics/descriptor.ts';

/** The exporter's metrics about itself. */
export const metrics = {
  buildInfo: gauge('xen_exporter_build_info', {
    meaning: 'Constant 1, labelled with the version of xen-exporter and of the Node.js that runs it.',
    labels: ['version', 'node_version'],
  }),
  duration: gauge('xen_exporter_collector_duration_seconds', {
    meaning: 'Time that the collector took in this scrape, in seconds.',
    labels: ['collector'],
  }),
  success: gauge('xen_exporter_collector_success', {
    meaning:
      'Whether the collector and its background work last ran without an error, and no background reading is too old to serve: 1, else 0. A collector that does not apply here has not failed: 1.',
    labels: ['collector'],
  }),
  available: gauge('xen_exporter_collector_available', {
    meaning: 'Whether the collector applies to this machine: 1, else 0 (the landing page gives the reason).',
    labels: ['collector'],
  }),
  series: gauge('xen_exporter_collector_series', {
    meaning: 'Series of the collector in this scrape.',
    labels: ['collector'],
  }),
  lastSuccess: gauge('xen_exporter_collector_last_success_timestamp_seconds', {
    meaning:
      'When the collector last ran without an error, in seconds since 1970; absent until it has. If it reads in the background: when the oldest reading that it serves was taken.',
    labels: ['collector'],
  }),
  skippedItems: gauge('xen_exporter_collector_skipped_items', {
    meaning:
      'Items that the collector could not read in this scrape: files of devices, queues, processes and the like, and rows or numbers in a file, for lack of privilege or because they are broken. Their series are missing. The landing page shows the first error.',
    labels: ['collector'],
  }),
  seriesDropped: total('xen_exporter_series_dropped_total', {
    meaning:
      'Series left out because the collector had more than its limit (--collector.max-series); counted once per scrape.',
    labels: ['collector'],
  }),
  counterResets: total('xen_exporter_resets_total', {
    meaning:
      'Readings that did not continue a counter of the collector. Either its source restarted at 0, and what it has counted since is added, or the reading was outside the plausible bounds, and nothing is added.',
    labels: ['collector'],
  }),
  commandDuration: histogram('xen_exporter_command_duration_seconds', {
    meaning:
      'Time that each command ran, in seconds: also those that failed, and those that were killed at their deadline.',
    labels: ['command'],
  }),
  diagnosisSeries: gauge('xen_exporter_diagnosis_series', {
    meaning:
      'Series in memory for the verdict on the landing page. 0 while nobody has opened the page within 15 minutes.',
  }),
  diagnosisSamples: gauge('xen_exporter_diagnosis_samples', {
    meaning: 'Samples of these series in memory.',
  }),
  helperUp: gauge('xen_exporter_helper_up', {
    meaning:
      'Whether the helper, which reads as root, answers: 1, else 0. Checked every few seconds. Absent without --privileged-reads=helper.',
  }),
  helperResident: gauge('xen_exporter_helper_resident_memory_bytes', {
    meaning:
      'Resident memory of the helper, in bytes; process_resident_memory_bytes is that of the exporter. Absent while it does not answer.',
  }),
  helperCpu: total('xen_exporter_helper_cpu_seconds_total', {
    meaning:
      'User and system CPU time of the helper, in seconds, without that of the programs that it runs. Absent while it does not answer.',
  }),
  webConnections: gauge('xen_exporter_web_connections', {
    meaning: 'Connections of clients that are open.',
  }),
  webRefused: total('xen_exporter_web_refused_total', {
    meaning: 'Connections and requests that were turned away, by reason; docs/operate/security.md has the reasons.',
    labels: ['reason'],
  }),
  webConfigSuccess: gauge('xen_exporter_web_config_last_reload_successful', {
    meaning:
      'Whether the exporter uses the web config file as it is now. 0 while it keeps the last good one, because the file cannot be used or drops a demand on clients. Absent without --web.config.file.',
  }),
  webConfigLastSuccess: gauge('xen_exporter_web_config_last_reload_success_timestamp_seconds', {
    meaning:
      'When the web config file was last read without an error, in seconds since 1970. Absent without --web.config.file.',
  }),
  webCertificateStart: gauge('xen_exporter_web_certificate_start_timestamp_seconds', {
    meaning:
      'When the lifetime of a certificate began, in seconds since 1970: server, which the exporter shows to its clients; client_ca, the one of client_ca_file that ends first. Absent without TLS, or without a client CA.',
    labels: ['certificate'],
  }),
  webCertificateExpiry: gauge('xen_exporter_web_certificate_expiry_timestamp_seconds', {
    meaning:
      'When the lifetime of a certificate ends, in seconds since 1970: server, which the exporter shows to its clients; client_ca, the one of client_ca_file that ends first. Absent without TLS, or without a client CA.',
    labels: ['certificate'],
  }),
  samples: total('xen_exporter_sampler_samples_total', {
    meaning: 'Samples that the sampler took: at its full rate while something moves, else about one a second.',
    labels: ['sampler'],
  }),
  skippedSamples: total('xen_exporter_sampler_skipped_samples_total', {
    meaning:
      'Samples that the sampler skipped: the process was late, or the sampler slowed down to stay within its CPU budget.',
    labels: ['sampler'],
  }),
  samplerCpu: total('xen_exporter_sampler_cpu_seconds_total', {
    meaning:
      'CPU time of this process for the samples, in seconds (getrusage(2)), with what it took to wake up for them.',
    labels: ['sampler'],
  }),
} as const;

export const exporterMetrics: readonly Descriptor[] = Object.values(metrics);
