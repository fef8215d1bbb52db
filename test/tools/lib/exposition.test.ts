import { describe, expect, test } from 'vitest';
import { parseExposition } from '../../../tools/lib/exposition.ts';

// The example in Prometheus's description of the format (docs/instrumenting/exposition_formats.md), shortened.
const EXAMPLE = String.raw`# HELP http_requests_total The total number of HTTP requests.
# TYPE http_requests_total counter
http_requests_total{method="post",code="200"} 1027 1395066363000
http_requests_total{method="post",code="400"}    3 1395066363000

# Escaping in label values:
msdos_file_access_time_seconds{path="C:\\DIR\\FILE.TXT",error="Cannot find file:\n\"FILE.TXT\""} 1.458255915e9

metric_without_timestamp_and_labels 12.47
something_weird{problem="division by zero"} +Inf -3982045

# HELP http_request_duration_seconds A histogram of the request duration.
# TYPE http_request_duration_seconds histogram
http_request_duration_seconds_bucket{le="0.05"} 24054
http_request_duration_seconds_bucket{le="+Inf"} 144320
http_request_duration_seconds_sum 53423
http_request_duration_seconds_count 144320
`.replace('}    3', '} 3');

describe('the example of the format', () => {
  const exposition = parseExposition(EXAMPLE);

  test('families', () => {
    expect([...exposition.families]).toEqual([
      ['http_requests_total', { type: 'counter', help: 'The total number of HTTP requests.' }],
      ['http_request_duration_seconds', { type: 'histogram', help: 'A histogram of the request duration.' }],
    ]);
  });

  test('values', () => {
    expect(exposition.value('http_requests_total', { code: '400' })).toBe(3);
    expect(exposition.value('something_weird')).toBe(Infinity);
    expect(exposition.value('metric_without_timestamp_and_labels')).toBe(12.47);
    expect(exposition.value('http_request_duration_seconds_bucket', { le: '+Inf' })).toBe(144320);
    expect(exposition.value('http_requests_total', { code: '500' })).toBeUndefined();
    expect(exposition.value('nothing')).toBeUndefined();
    expect(() => exposition.value('http_requests_total', { method: 'post' })).toThrow(
      '2 samples of http_requests_total have the labels {"method":"post"}',
    );
  });

  test('escapes', () => {
    expect(exposition.samples('msdos_file_access_time_seconds')).toEqual([
      {
        name: 'msdos_file_access_time_seconds',
        labels: { path: 'C:\\DIR\\FILE.TXT', error: 'Cannot find file:\n"FILE.TXT"' },
        value: 1.458255915e9,
      },
    ]);
  });
});

test.each([
  ['a 1', 'expected the last line to end with a newline'],
  ['a 1\na 2\n', 'line 2: the same series twice: a 2'],
  ['a{x="1",y="2"} 1\na{y="2",x="1"} 2\n', 'line 2: the same series twice'],
  ['a{x="1"} 1\nb 1\na{x="2"} 1\n', 'line 3: a is in more than one place'],
  ['# TYPE a gauge\n# TYPE a gauge\n', 'line 2: second TYPE'],
  ['# HELP a one\n# HELP a two\n', 'line 2: second HELP'],
  ['# TYPE a number\n', 'line 1: expected one of counter, gauge'],
  ['a 1\n# TYPE a gauge\n', 'line 2: TYPE after a sample'],
  ['# TYPE a histogram\na 1\n', 'line 2: expected a_bucket, a_sum or a_count'],
  ['9a 1\n', 'line 1: bad metric name'],
  ['a{9x="1"} 1\n', 'line 1: bad label'],
  ['a{x="\\t"} 1\n', 'line 1: bad label'],
  ['a{x="1" 1\n', 'line 1: bad label'],
  ['a{x="1",x="2"} 1\n', 'line 1: label x twice'],
  ['a one\n', 'line 1: bad value'],
  ['a\n', 'line 1: bad value'],
  ['a  1\n', 'line 1: bad value'],
])('%j is rejected', (text, message) => {
  expect(() => parseExposition(text)).toThrow(message);
});
