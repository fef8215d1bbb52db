import { describe, expect, test } from 'vitest';
import { negotiate } from '../../src/web/negotiate.ts';

describe('what Prometheus servers send, word for word, gets what they want', () => {
  test.each([
    [
      '2.42',
      'application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q=0.75,text/plain;version=0.0.4;q=0.5,*/*;q=0.1',
      'openMetrics',
    ],
    [
      '3.0',
      'application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.5,application/openmetrics-text;version=0.0.1;q=0.4,text/plain;version=1.0.0;escaping=allow-utf-8;q=0.3,text/plain;version=0.0.4;q=0.2,*/*;q=0.1',
      'openMetrics',
    ],
    [
      '3.x with native histograms',
      'application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited;q=0.7,application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.6,application/openmetrics-text;version=0.0.1;q=0.5,text/plain;version=1.0.0;escaping=allow-utf-8;q=0.4,text/plain;version=0.0.4;q=0.3,*/*;q=0.2',
      'openMetrics',
    ],
    [
      '3.x set to prefer text',
      'text/plain;version=1.0.0;escaping=allow-utf-8;q=0.6,text/plain;version=0.0.4;q=0.5,application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.4,*/*;q=0.3',
      'text',
    ],
    ['1.x and VictoriaMetrics', 'text/plain;version=0.0.4;q=1,*/*;q=0.1', 'text'],
  ])('%s', (_server, accept, format) => expect(negotiate(accept)).toBe(format));
});

describe('other clients', () => {
  test.each([
    ['no header', undefined, 'text'],
    ['curl', '*/*', 'text'],
    ['a browser', 'text/html,application/xhtml+xml,application/xml;q=0.9,image/webp,*/*;q=0.8', 'text'],
    ['OpenMetrics without a version', 'application/openmetrics-text', 'openMetrics'],
    ['only a version that we do not write', 'application/openmetrics-text;version=0.0.1', 'text'],
    ['q=0 is a refusal', 'application/openmetrics-text;version=1.0.0;q=0, text/plain', 'text'],
    ['the same q twice', 'application/openmetrics-text;q=0.5,text/plain;q=0.5', 'text'],
    [
      'white space and capitals',
      ' Application/OpenMetrics-Text ; Version="1.0.0" ; Q=0.9 , text/plain;q=0.2',
      'openMetrics',
    ],
    [
      'a more exact range beats a wider one',
      'text/plain;q=0.1,*/*;q=0.9,application/openmetrics-text;q=0.5',
      'openMetrics',
    ],
    ['nonsense', ';;q=x,,=,', 'text'],
    ['neither', 'image/png', 'text'],
  ])('%s', (_client, accept, format) => expect(negotiate(accept)).toBe(format));
});
