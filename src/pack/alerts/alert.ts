import { promql, type Promql } from '../promql.ts';

/** A number at which an alert fires, and where it comes from. */
export interface Threshold {
  value: number;
  /** Why this number; a claim is named as one. */
  why: string;
}

/** What an alert is: harm that clients feel, a hop at its limit, or the exporters themselves. */
export type AlertKind = 'symptom' | 'cause' | 'meta';

export const severities = ['critical', 'warning', 'info'] as const;
/** `none` is that of the watchdog, which people hear of only when it is missing. */
export type Severity = (typeof severities)[number] | 'none';

/** The way of a SYN, in its order, and the exporter that watches it. */
export const hops = [
  'uplink',
  'vif',
  'netback',
  'grant table',
  'event channel',
  'Dom0 vCPU',
  'vCPU',
  'netfront',
  'SYN queue',
  'accept queue',
  'exporter',
] as const;

/** Where on the way of a SYN it is. */
export type Hop = (typeof hops)[number];

/** PromQL of a value. */
export type Measure = (p: Promql) => string;

/** The units of measured values. A percentage is measured as a ratio. */
export type Unit = 'percent' | 'number' | 'seconds';

/** How a notification words a measured value: `56 % of wanted CPU time is stolen`. The limit follows it. */
export interface Reading {
  /** Absent if the value is yes or no. */
  unit?: Unit;
  /** Part of a sentence with the value, which has its unit. */
  text: (value: string) => string;
}

/** A limit of an alert: its rule fires with this severity. */
export interface AlertLevel {
  severity: Severity;
  threshold: Threshold;
  /** PromQL that follows the measure and narrows it, such as `and on (uuid) ...`. Default: the level is not narrowed. */
  only?: string;
  /** Default: the measure of the alert. */
  measure?: Measure;
  /** Default: the description of the alert. */
  description?: string;
  /** Of a cause's level with a measure of its own. */
  reading?: Reading;
}

/** An alert of the pack. */
export interface Alert {
  /** `Xen...`, 40 characters at most. The runbook has the same name. */
  name: string;
  kind: AlertKind;
  hop: Hop;
  /**
   * The subject of the measure: a guest (label uuid), a host (labels job and instance, all of its guests suffer), an exporter (labels job and
   * instance, and others of its own), or the rules themselves (no labels).
   */
  about: 'guest' | 'host' | 'exporter' | 'rules';
  /** The limits, each with a severity of its own. The first is the alert's main level: its threshold is the unit of cause scores. */
  levels: readonly [AlertLevel, ...AlertLevel[]];
  /** PromQL of the measured value wherever the alert makes sense. A level fires while the value is above its threshold. */
  measure: Measure;
  /** Metrics without any one of which it is blind; a histogram by its own name. `a|b`: one of the two is enough. */
  needs: readonly string[];
  for: string;
  keepFiringFor?: string;
  /** One line; templates of Prometheus may be used. */
  summary: string;
  /** With the measured value. */
  description: string | ((p: Promql) => string);
  /** Of a cause. */
  reading?: Reading;
  /** Labels of the measure that the alert has beside those that identify a guest or a host. */
  measureLabels?: readonly string[];
  /** What to type first, after the prompt of the machine to type it on; templates of Prometheus may be used. */
  command: string;
}

/** The measured value as a percentage, in a template of Prometheus. */
export const percent = '{{ $value | humanizePercentage }}';

/** The guest's name, in a template of Prometheus. */
export const guest = '{{ $labels.domain }}';

/** A template of Prometheus: `text` if a label matches the pattern, or else `otherwise`. */
const ifMatches = (label: string, pattern: RegExp, text: string, otherwise: string): string =>
  `{{ if match \`${pattern.source}\` $labels.${label} }}${text}{{ else }}${otherwise}{{ end }}`;

// Names from pages, which a guest or a user may have made up: only one that is a single word of a shell's stands in an annotation. xl takes a number for a
// domid, and anything takes a name that begins with a dash for an option. systemd escapes characters of names as \x2d.
const guestName = /^[0-9]*[A-Za-z_.][A-Za-z0-9_.-]{0,127}$/;
const namespaceName = /^([A-Za-z0-9_.:@+]|\\x[0-9a-f]{2})([A-Za-z0-9_.:@+-]|\\x[0-9a-f]{2}){0,127}$/;
const targetAddress = /^[A-Za-z0-9_.:[\]-]{1,255}$/;

/** A template of Prometheus: nothing for the guest's own network namespace, `text` for one whose name is a single word, or else `otherwise`. */
const inOther = (text: string, otherwise: string): string =>
  `{{ if $labels.netns }}${ifMatches('netns', namespaceName, text, otherwise)}{{ end }}`;

/** Which network namespace of the guest, where it is not the guest's own, in a template of Prometheus. */
export const inNamespace = inOther(' ({{ $labels.netns }})', ' (another network namespace)');

/** The guest and its host for a title, in a template of Prometheus: long names are cut, and the host has no port. */
export const guestOnHost = `{{ printf "%.48s" $labels.domain }}${inOther(
  ' ({{ printf "%.24s" $labels.netns }})',
  ' (another network namespace)',
)}{{ if ne $labels.host "unknown" }} on {{ $labels.host | stripPort }}{{ end }}`;

/** The guest's name as an argument of xl, in a template of Prometheus; a placeholder in place of a name that a shell or xl would take for something else. */
export const guestArgument = ifMatches('domain', guestName, '{{ $labels.domain }}', '<GUEST>');

/** The address of the exporter as a part of a URL in a command, in a template of Prometheus. Service discovery may take it from what a guest registers. */
export const instanceArgument = ifMatches('instance', targetAddress, '{{ $labels.instance }}', '<INSTANCE>');

/**
 * A command for the guest, in the network namespace that the alert is about: one that `ip netns` named, or that of a process whose cgroup has the
 * name. A placeholder takes the place of a name that is no single word.
 */
export const guestCommand = (command: string): string =>
  `guest# ${inOther(
    `nsenter --net="$(ls -d /run/netns/'{{ $labels.netns }}' 2>/dev/null || grep -lF '{{ $labels.netns }}' /proc/[0-9]*/cgroup | sed -n '1s,cgroup$,ns/net,p')" `,
    'nsenter --net=<NAMESPACE> ',
  )}${command}`;

/**
 * That a guest has a cap. The credit scheduler parks the vCPUs of one that wakes and sleeps while its mean use is far below the cap, and nothing that
 * is always there tells parked from waiting for others.
 */
export const hasCap = 'on (uuid) uuid:xen_domain_cap:cpus';

/**
 * That enough is taken from a guest, or from Dom0, by its CPUs' steal (rate, in CPUs). A nearly idle one's share is of little, and of less where Xen
 * does not say what interrupts its ticks have missed: while xl hung, the lab saw 0.12 of a CPU taken from a guest as 0.4 of what it wanted, and 0.09
 * from Dom0 as a third.
 */
export const isTaken = (steal: string): string => `${steal} > 0.15`;

/** That clients of a guest are harmed. */
export const whenClientsAreHarmed = 'and on (uuid) uuid:xen_clients_losing:bool';

/** The greater of two values of a guest, or the one that exists. */
export const greater = (one: string, other: string): string => promql`
  (${one} unless on (uuid) ${other} > ${one})
    or on (uuid)
  ${other}`;
