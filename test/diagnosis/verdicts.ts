import type { Cause, Finding, GuestVerdict, Verdict } from '../../src/diagnosis/verdict.ts';
import { hops } from '../../src/pack/alerts/alert.ts';

// A verdict for tests of what shows verdicts.

export const symptom: Finding = {
  alert: 'XenAcceptQueueOverflow',
  title: 'domu1 on dom0 refuses connections',
  severity: 'critical',
  hop: 'accept queue',
  value: 0.5,
  threshold: 0.01,
  evidence: 'the accept queue was full for 50.0 % of the time, limit 1 %',
  labels: {},
  firstStep: { on: 'guest', command: 'ss -ltn' },
  runbook: 'XenAcceptQueueOverflow.md',
};

export const cause: Cause = {
  alert: 'XenVcpuStarved',
  title: 'The vCPUs of domu1 wait for a physical CPU',
  severity: 'warning',
  hop: 'vCPU',
  value: 0.56,
  threshold: 0.3,
  score: 1.87,
  evidence: '56 % of wanted CPU time is stolen, limit 30 %',
  labels: { portRange: '80' },
  firstStep: { on: 'dom0', command: 'xl vcpu-list' },
  runbook: 'XenVcpuStarved.md',
  setUp: [{ on: 'dom0', command: `G='domu1'; D=$(xl domid "$G")` }],
  mitigations: [
    {
      title: 'Move the guest',
      effect: 'Its vCPUs run on <CPUS>. Risk: it waits for itself. Affected: guests that run there.',
      only: '',
      save: [{ on: 'dom0', command: 'xl vcpu-list "$D" > saved' }],
      do: [{ on: 'dom0', command: 'xl vcpu-pin "$D" all <CPUS>' }],
      verify: [{ on: 'guest', command: 'top' }],
      undo: [{ on: 'dom0', command: 'undo saved' }],
    },
    { title: 'More weight', effect: '', only: 'credit', save: [], do: [], verify: [], undo: [] },
  ],
};

export const near: Cause = { ...cause, alert: 'XenVifDropping', hop: 'vif', score: 0.6, evidence: '0.6 %', labels: {} };

export const guestVerdict: GuestVerdict = {
  uuid: '00000001-0000-4000-8000-000000000001',
  name: 'domu1',
  host: 'dom0:28697',
  seenBy: { guest: true, host: true },
  status: 'critical',
  symptoms: [symptom],
  causes: [cause, near],
  hops: hops
    .filter((hop) => hop !== 'exporter')
    .map((hop) => {
      if (hop === 'vCPU') return { hop, status: 'warning', cause: cause.alert, score: cause.score };
      if (hop === 'vif') return { hop, status: 'ok', cause: near.alert, score: near.score };
      return { hop, status: hop === 'netback' ? 'unknown' : 'ok' };
    }),
};

export const idleGuest: GuestVerdict = {
  ...guestVerdict,
  uuid: '00000001-0000-4000-8000-000000000002',
  name: 'domu2',
  status: 'ok',
  symptoms: [],
  causes: [],
  hops: guestVerdict.hops.map(({ hop }) => ({ hop, status: 'ok' })),
};

export const verdict: Verdict = {
  time: 1_800_000_000,
  windowSeconds: 30,
  status: 'critical',
  summary: 'domu1 on dom0 refuses connections: XenVcpuStarved (56 % of wanted CPU time is stolen, limit 30 %).',
  guests: [guestVerdict, idleGuest],
  hosts: [{ instance: 'dom0:28697', status: 'ok', symptoms: [], causes: [] }],
  exporters: [],
  unseen: [{ what: 'inside domu2', why: 'no exporter in this guest was read' }],
};
