import { expect, test } from 'vitest';
import { registry } from '../../src/collectors/registry.ts';
import { alerts } from '../../src/pack/alerts/alerts.ts';
import { alertsWithoutData } from '../../src/pack/alerts-without-data.ts';

const all = registry.flatMap(({ metrics }) => metrics.map(({ name }) => name));
const without = (...hidden: string[]) => alertsWithoutData(new Set(all.filter((name) => !hidden.includes(name))));

test('with all metrics there is none, without any all but those about the exporters', () => {
  expect(without()).toEqual([]);
  const names = alerts.filter(({ kind }) => kind !== 'meta').map(({ name }) => name);
  expect(alertsWithoutData(new Set()).map(({ name }) => name)).toEqual(names);
});

test('kernel lockdown hides the rings: what is blind then', () => {
  const hidden = all.filter((name) => /^xen_netback_(ring|rx|tx|guest_queue|rate_limited)/.test(name));
  expect(without(...hidden).map(({ name }) => name)).toEqual([
    'XenGuestNotDraining',
    'XenNetbackRateLimited',
    'XenGrantOperationsHigh',
  ]);
});

test('one of two metrics is enough where either is', () => {
  const [looks, xapi] = ['xen_domain_vcpu_observations_total', 'xen_xapi_domain_runstate_seconds_total'];
  expect(without(looks)).toEqual([]);
  expect(without(xapi)).toEqual([]);
  expect(without(looks, xapi)).toEqual([{ name: 'XenCreditExhaustion', lacks: [`${looks} or ${xapi}`] }]);
});

test('an alert says what it lacks', () => {
  expect(without('xen_backend_eoi_delay_seconds_total')).toEqual([
    { name: 'XenSpuriousEvents', lacks: ['xen_backend_eoi_delay_seconds_total'] },
  ]);
});
