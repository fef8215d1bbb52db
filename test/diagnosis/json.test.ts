import { expect, test } from 'vitest';
import { verdictJson } from '../../src/diagnosis/json.ts';
import { guestVerdict, verdict } from './verdicts.ts';

test('names are in snake case, but for labels, and the schema comes first', () => {
  const text = verdictJson(verdict);
  expect(text.endsWith('}\n')).toBe(true);
  const json = JSON.parse(text) as Record<string, unknown>;
  expect(Object.keys(json)).toEqual([
    'schema',
    'time',
    'window_seconds',
    'status',
    'summary',
    'guests',
    'hosts',
    'exporters',
    'unseen',
  ]);
  expect(json['schema']).toBe(1);
  const [guest] = json['guests'] as Record<string, unknown>[];
  expect(Object.keys(guest!)).toEqual(['uuid', 'name', 'host', 'seen_by', 'status', 'symptoms', 'causes', 'hops']);
  const [cause] = guest!['causes'] as Record<string, unknown>[];
  expect(cause).toMatchObject({
    first_step: { on: 'dom0', command: 'xl vcpu-list' },
    set_up: [{ on: 'dom0', command: 'G=\'domu1\'; D=$(xl domid "$G")' }],
    labels: { portRange: '80' },
  });
});

test('what is absent in the verdict is absent in its JSON', () => {
  const { host: _, ...withoutHost } = guestVerdict;
  const json = JSON.parse(verdictJson({ ...verdict, guests: [withoutHost] })) as { guests: object[] };
  expect(json.guests[0]).not.toHaveProperty('host');
});
