import { expect, test } from 'vitest';
import { Families } from '../../src/metrics/families.ts';
import { WebMetrics, type ConfigState } from '../../src/scrape/web-metrics.ts';

const validity = (certificates: ConfigState['certificates']) => {
  const metrics = new WebMetrics();
  metrics.config = { succeeded: true, lastSuccess: 1000, certificates };
  const out = new Families();
  metrics.addTo(out);
  return out
    .list()
    .filter(({ descriptor }) => descriptor.name.startsWith('xen_exporter_web_certificate_'))
    .flatMap(({ descriptor, samples }) =>
      samples.map(({ sharedLabels, value }) => [descriptor.name, sharedLabels['certificate'], value]),
    );
};

test('of each certificate it is known when its life begins and ends', () => {
  const certificates = { server: { from: 10, to: 20 }, client_ca: { from: 1, to: 40 } };
  expect(validity(certificates)).toEqual([
    ['xen_exporter_web_certificate_start_timestamp_seconds', 'server', 10],
    ['xen_exporter_web_certificate_start_timestamp_seconds', 'client_ca', 1],
    ['xen_exporter_web_certificate_expiry_timestamp_seconds', 'server', 20],
    ['xen_exporter_web_certificate_expiry_timestamp_seconds', 'client_ca', 40],
  ]);
});

test('without a client CA, or without TLS, those are absent', () => {
  expect(validity({ server: { from: 10, to: 20 }, client_ca: undefined }).map(([, label]) => label)).toEqual([
    'server',
    'server',
  ]);
  expect(validity({ server: undefined, client_ca: undefined })).toEqual([]);
});
