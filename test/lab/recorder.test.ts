import { expect, test } from 'vitest';
import { parseExposition } from '../../tools/lib/exposition.ts';
import { decreases, metricsAbout } from '../../lab/tests/recorder.ts';

const page = (events: number | undefined, slots: number, count = 1) =>
  parseExposition(`# TYPE xen_events_total counter
${events === undefined ? '' : `xen_events_total{domain="web"} ${events}\n`}# TYPE xen_slots gauge
xen_slots{domain="web"} ${slots}
# TYPE xen_wait_seconds histogram
xen_wait_seconds_bucket{le="+Inf"} ${count}
xen_wait_seconds_sum 1
xen_wait_seconds_count ${count}
`);

test('a counter that goes down is found, also in a histogram; a gauge may', () => {
  expect(decreases([page(1, 9), page(5, 2), page(5, 9, 2)])).toEqual([]);
  expect(decreases([page(5, 1), page(4, 1)])).toEqual(['xen_events_total{"domain":"web"}: 5, then 4']);
  expect(decreases([page(1, 1, 3), page(1, 1, 2)])).toEqual([
    'xen_wait_seconds_bucket{"le":"+Inf"}: 3, then 2',
    'xen_wait_seconds_count{}: 3, then 2',
  ]);
});

test('a series that was not on the page before is another', () => {
  expect(decreases([page(5, 1), page(undefined, 1), page(1, 1)])).toEqual([]);
});

test('the metrics about a domain', () => {
  expect(metricsAbout(page(1, 1), 'web')).toEqual(['xen_events_total', 'xen_slots']);
  expect(metricsAbout(page(1, 1), 'we')).toEqual([]);
});
