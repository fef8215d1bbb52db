import { describe, expect, test } from 'vitest';
import { causesOf, type Expected } from '../../lab/faults/fault.ts';
import type { RecordedFault } from '../../lab/faults/recorded-fault.ts';
import { recordings } from '../../lab/faults/recordings.ts';
import { alertNamed } from '../../src/pack/alerts/alerts.ts';
import type { Verdict } from '../../src/diagnosis/verdict.ts';
import { verdictOf } from './recorded.ts';

/** Faults that a doctor does not name, with the reason. */
const missedByDoctor: Readonly<Record<string, string>> = {
  'credit-conntrack-full': 'the symptom compares with an hour ago; the cause is named',
  'credit2-conntrack-full': 'the symptom compares with an hour ago; the cause is named',
  'credit-vif-disconnected': 'the vif was cut off before the first sample',
  'credit2-vif-disconnected': 'the vif was cut off before the first sample',
  'credit2-rate-limit': 'the clients lose connections only after 40 s; the cause is the strongest of the guest',
};

/** Near misses that last too short for the alert of Prometheus, which waits 5 or 10 minutes. */
const warnedNearMisses: readonly string[] = ['credit-cpu-hogs', 'credit-dom0-starved', 'credit2-cpu-hogs'];

/** A verdict about a guest or host: its symptoms, and its causes, the strongest first. */
interface Said {
  status: string;
  symptoms: string[];
  causes: string[];
}

const namesOf = (all: readonly { alert: string }[]): string[] => all.map(({ alert }) => alert);

const saidOf = ({ guests, hosts }: Verdict, domain: string | undefined): Said => {
  const found = domain === undefined ? hosts[0] : guests.find(({ name }) => name === domain);
  return { status: found!.status, symptoms: namesOf(found!.symptoms), causes: namesOf(found!.causes) };
};

/** The machines whose exporters are in trouble, by an alert. */
const exportersWith = ({ exporters }: Verdict, wanted: string): string[] =>
  exporters.filter(({ alert }) => alert === wanted).map(({ instance }) => instance.replace(/:\d+$/, ''));

/** Asserts that a verdict names what is expected. */
const expectNamed = (verdict: Verdict, expected: Expected): void => {
  const { alert: name, domain, severity } = expected;
  const { kind } = alertNamed(name);
  if (kind === 'meta') {
    expect(exportersWith(verdict, name)).toContain(domain === 'Domain-0' ? 'dom0' : domain);
    expect(verdict.status).toBe('warning');
    return;
  }
  const said = saidOf(verdict, domain);
  expect(said.status).toBe(severity);
  if (kind === 'symptom') expect(said.symptoms).toContain(name);
  if (kind === 'cause' || expected.causes) expect(causesOf(expected)).toContain(said.causes[0]);
};

/** How many guests and hosts have a warning or worse. */
const warnings = ({ guests, hosts }: Verdict): number =>
  [...guests, ...hosts].filter(({ status }) => status === 'warning' || status === 'critical').length;

const doctorSeconds = 40;

/** The verdict of a doctor that begins at a scrape. `end`: the last scrape that it may see. */
const doctorFrom = (recording: RecordedFault, from: number, end: number): Verdict => {
  const { intervalSeconds, speed } = recording;
  const to = Math.min(from + Math.ceil((doctorSeconds * speed) / intervalSeconds), end);
  return verdictOf(recording, { from, to, clock: 'lab', windowSeconds: 30 });
};

const testFault = (name: string, recording: RecordedFault, expected: Expected): void => {
  const { begin, begun, injected, told, undone } = recording.slots;

  test('is named when it is told, by the clock of the rules', () => {
    expect(told).toBeDefined();
    expectNamed(verdictOf(recording, { from: 0, to: told!, clock: 'rules' }), expected);
  });

  test('is named by a doctor that begins when the fault is there, unless there is a reason', () => {
    const verdict = doctorFrom(recording, injected, undone);
    const reason = missedByDoctor[name];
    if (reason === undefined) return expectNamed(verdict, expected);
    expect(() => expectNamed(verdict, expected)).toThrow();
    if (!reason.includes('the cause is')) return;
    const [cause] = causesOf(expected);
    expect(verdict.guests.find(({ name: domain }) => domain === expected.domain)!.causes[0]!.alert).toBe(cause);
  });

  test('is no page, and at most one warning, while it is a near miss', () => {
    const verdict = doctorFrom(recording, begin, begun - 1);
    expect(verdict.status).not.toBe('critical');
    expect(warnings(verdict)).toBe(warnedNearMisses.includes(name) ? 1 : 0);
  });
};

/** Makes tests of each of these recordings: the verdict about a fault and its near miss, or about a healthy load. */
export const testVerdicts = (isWanted: (name: string) => boolean): void =>
  describe.each([...recordings].filter(([name]) => isWanted(name)))('%s', (name, recording) => {
    const { expected, slots } = recording;
    if (expected) testFault(name, recording, expected);
    else
      test('is healthy', () => {
        const verdict = doctorFrom(recording, slots.begin, slots.undone);
        expect(verdict.status).toBe('ok');
        expect(warnings(verdict)).toBe(0);
      });
  });
