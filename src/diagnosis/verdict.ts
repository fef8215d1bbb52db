import type { Hop, Severity } from '../pack/alerts/alert.ts';

/** How bad it is, as monitoring plugins name it. */
export type Status = 'ok' | 'warning' | 'critical' | 'unknown';

/** A command, and the machine to type it on. */
export interface Step {
  on: 'dom0' | 'guest' | 'prometheus';
  command: string;
}

/** A way to stop the harm, from the runbook of a cause. */
export interface Mitigation {
  /** The heading of the measure in the runbook. */
  title: string;
  /** The change that it makes, its risk, and who else is affected. */
  effect: string;
  /** Where alone it works: under one scheduler. Empty: anywhere. */
  only: string;
  save: readonly Step[];
  do: readonly Step[];
  verify: readonly Step[];
  undo: readonly Step[];
}

/** An alert with a result. */
export interface Finding {
  /** Name of the alert. */
  alert: string;
  /** The trouble in words: `domu1 on 10.0.0.1 refuses connections`. */
  title: string;
  /**
   * That of the limit that is exceeded. A cause that does not fire, such as one that is near its limit, has the one
   * that it would fire with.
   */
  severity: Severity;
  hop: Hop;
  /** The measured value in the unit of the alert, and its threshold. */
  value: number;
  threshold: number;
  /** The value in words, or the title if it has none: `56 % of wanted CPU time is stolen, limit 30 %`. */
  evidence: string;
  /** Labels beside those that identify the guest or host, such as the port of a listener. */
  labels: Readonly<Record<string, string>>;
  firstStep: Step;
  /** The page of the runbook: `XenCreditExhaustion.md`. */
  runbook: string;
}

/** A cause over its threshold or near it. */
export interface Cause extends Finding {
  /** The value divided by the threshold. */
  score: number;
  /** Commands that set the variables of the measures. */
  setUp: readonly Step[];
  mitigations: readonly Mitigation[];
}

/** A hop: its strongest cause. */
export interface HopReading {
  hop: Hop;
  /** `unknown`: no exporter measures it. */
  status: Status;
  /** Absent if every cause is below half of its threshold. */
  cause?: string;
  score?: number;
}

export interface GuestVerdict {
  uuid: string;
  /** The name, or the address of its exporter if no host names it. */
  name: string;
  /** The address of the host. Absent if unknown. */
  host?: string;
  /** Which exporters gave samples about it. */
  seenBy: { guest: boolean; host: boolean };
  status: Status;
  symptoms: readonly Finding[];
  /** The strongest first. */
  causes: readonly Cause[];
  /** In the order of a SYN's way. */
  hops: readonly HopReading[];
}

export interface HostVerdict {
  /** Address of the exporter. */
  instance: string;
  status: Status;
  symptoms: readonly Finding[];
  causes: readonly Cause[];
}

/** Something that could not be judged, and why. */
export interface Unseen {
  what: string;
  why: string;
}

/** The troubles of the machines that were watched. */
export interface Verdict {
  /** Unix time in seconds at which the window ends. */
  time: number;
  windowSeconds: number;
  status: Status;
  /** The verdict in one sentence. */
  summary: string;
  /** The worst first, then by name. */
  guests: readonly GuestVerdict[];
  hosts: readonly HostVerdict[];
  /** Alerts about the exporters themselves. */
  exporters: readonly (Finding & { instance: string })[];
  unseen: readonly Unseen[];
}
