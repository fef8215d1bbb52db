import { stripVTControlCharacters } from 'node:util';
import { expect, test } from 'vitest';
import { hopTable, inColour, overviewText, plain, verdictText } from '../../src/diagnosis/text.ts';
import { cause, guestVerdict, idleGuest, symptom, verdict } from './verdicts.ts';

test('a verdict: the sentence, the table, each guest that is not idle, and what was not judged', () => {
  expect(verdictText(verdict, plain))
    .toBe(`CRITICAL domu1 on dom0 refuses connections: XenVcpuStarved (56 % of wanted CPU
         time is stolen, limit 30 %).

guest               uplnk   vif netbk grant evtch d0cpu  vcpu front  synq  accq
domu1                  ok  0.60     ?    ok    ok    ok  WARN    ok    ok    ok
domu2                  ok    ok    ok    ok    ok    ok    ok    ok    ok    ok

CRITICAL domu1 on dom0:28697 (uuid 00000001-0000-4000-8000-000000000001)
  Symptom   the accept queue was full for 50.0 % of the time, limit 1 %
  Cause     vCPU: 56 % of wanted CPU time is stolen, limit 30 % (portRange 80)
            [XenVcpuStarved]
  First     dom0# xl vcpu-list
  Cure      Move the guest. Its vCPUs run on <CPUS>. Risk: it waits for itself.
            Affected: guests that run there.
  Set       dom0# G='domu1'; D=$(xl domid "$G")
  Save      dom0# xl vcpu-list "$D" > saved
  Do        dom0# xl vcpu-pin "$D" all <CPUS>
  Verify    guest# top
  Undo      dom0# undo saved
  Or        More weight
  Runbook   runbooks/XenVcpuStarved.md
  Near      vif: 0.6 % [XenVifDropping]

Not judged
  inside domu2: no exporter in this guest was read
`);
});

test('colours change no text, and belong to the status', () => {
  const coloured = verdictText(verdict, inColour);
  expect(stripVTControlCharacters(coloured)).toBe(verdictText(verdict, plain));
  expect(coloured.startsWith('\u001b[31;1mCRITICAL\u001b[0m ')).toBe(true);
});

test('no text but a command is wider than 80 columns', () => {
  const text = verdictText(
    { ...verdict, guests: [{ ...guestVerdict, name: 'a-name-of-a-guest-that-is-as-long-as-the-whole-table-is-wide' }] },
    plain,
  );
  expect(text).toContain('\na-name-of-a-guest-~    ok');
  const wide = text.split('\n').filter((line) => line.length > 80 && !/^ {2}\w* *(?:dom0|guest)# /.test(line));
  // A title is one line: it holds a uuid to copy.
  expect(wide.filter((line) => !line.includes('(uuid '))).toEqual([]);
});

test('what a guest chose does nothing to the terminal', () => {
  const name = 'evil\u001b[2J\u0007\u202e';
  const bad = { ...symptom, evidence: `${name} evidence`, labels: { netns: name } };
  const exporter = { ...bad, instance: name };
  const text = verdictText(
    {
      ...verdict,
      summary: name,
      guests: [{ ...guestVerdict, name, host: name, symptoms: [bad], causes: [{ ...cause, labels: { netns: name } }] }],
      hosts: [{ instance: name, status: 'warning', symptoms: [], causes: [] }],
      exporters: [exporter],
      unseen: [{ what: name, why: name }],
    },
    plain,
  );
  // eslint-disable-next-line no-control-regex -- these are what must not be there
  expect(text).not.toMatch(/[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u202e]/);
  expect(text.match(/evil/g)!.length).toBeGreaterThanOrEqual(9);
});

test('a guest without a cause says so, and one that is idle has a row only', () => {
  const text = verdictText({ ...verdict, guests: [{ ...guestVerdict, causes: [] }, idleGuest] }, plain);
  expect(text).toContain('  Cause     no hop is near its limit\n');
  expect(text.match(/^domu2/gm)).toHaveLength(1);
});

test('a guest that is not in trouble has its causes in a line each', () => {
  const guests = [{ ...idleGuest, causes: guestVerdict.causes }];
  expect(verdictText({ ...verdict, guests }, plain)).toContain(`
OK domu2 on dom0:28697 (uuid 00000001-0000-4000-8000-000000000002)
  Also      vCPU: 56 % of wanted CPU time is stolen, limit 30 % (portRange 80)
            [XenVcpuStarved]
  Near      vif: 0.6 % [XenVifDropping]

Not judged
`);
});

test('hosts and exporters in trouble have parts of their own', () => {
  const text = verdictText(
    {
      ...verdict,
      guests: [],
      hosts: [{ instance: 'dom0:28697', status: 'warning', symptoms: [], causes: [{ ...cause, mitigations: [] }] }],
      exporters: [{ ...symptom, alert: 'XenExporterDown', evidence: 'it is down', instance: 'a:1' }],
      unseen: [],
    },
    plain,
  );
  expect(text).toContain(`
WARNING host dom0:28697
  Cause     vCPU: 56 % of wanted CPU time is stolen, limit 30 % (portRange 80)
            [XenVcpuStarved]
  First     dom0# xl vcpu-list
  Runbook   runbooks/XenVcpuStarved.md

Exporters
  a:1: it is down [XenExporterDown]
`);
  expect(text).not.toContain('uplnk');
  expect(text).not.toContain('Not judged');
});

test('the table says in words what colours say', () => {
  const hops = guestVerdict.hops.map(({ hop }, index) => ({
    hop,
    status: (['ok', 'warning', 'critical', 'unknown'] as const)[index % 4]!,
  }));
  expect(hopTable([{ ...guestVerdict, hops }], plain).split('\n')[1]).toBe(
    'domu1                  ok  WARN  CRIT     ?    ok  WARN  CRIT     ?    ok  WARN',
  );
});

test('the overview has guests in trouble, and neither cures nor what is near a limit', () => {
  expect(overviewText(verdict, plain))
    .toBe(`CRITICAL domu1 on dom0 refuses connections: XenVcpuStarved (56 % of wanted CPU
         time is stolen, limit 30 %).

guest               uplnk   vif netbk grant evtch d0cpu  vcpu front  synq  accq
domu1                  ok  0.60     ?    ok    ok    ok  WARN    ok    ok    ok
domu2                  ok    ok    ok    ok    ok    ok    ok    ok    ok    ok

CRITICAL domu1 on dom0:28697 (uuid 00000001-0000-4000-8000-000000000001)
  Symptom   the accept queue was full for 50.0 % of the time, limit 1 %
  Cause     vCPU: 56 % of wanted CPU time is stolen, limit 30 % (portRange 80)
            [XenVcpuStarved]
  First     dom0# xl vcpu-list
`);
});
