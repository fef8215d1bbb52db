import { promql, type Promql } from '../promql.ts';

/** The number at which an alert fires, and its reason. */
export interface Threshold {
  value: number;
  /** Why this number. If it is a published claim, the text says so. */
  why: string;
}

/** Symptoms are harm that clients feel, causes are hops at their limit, and meta alerts are about the exporters. */
export type AlertKind = 'symptom' | 'cause' | 'meta';

export const severities = ['critical', 'warning', 'info'] as const;
/** `none` is the watchdog's severity: people are notified only when it is missing. */
export type Severity = (typeof severities)[number] | 'none';

/** The hops of a SYN in their order, and the exporter that watches it. */
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

/** A hop on the path of a SYN. */
export type Hop = (typeof hops)[number];

/** Returns the PromQL of a value. */
export type Measure = (p: Promql) => string;

/** Units of measured values. A percentage is measured as a ratio. */
export type Unit = 'percent' | 'number' | 'seconds';

/** How a notification states a measured value: `56 % of wanted CPU time is stolen`. The limit follows. */
export interface Reading {
  /** Absent if the value is a boolean. */
  unit?: Unit;
  /** Part of a sentence. `value` includes the unit. */
  text: (value: string) => string;
}

/** One limit of an alert. Its rule fires with this severity. */
export interface AlertLevel {
  severity: Severity;
  threshold: Threshold;
  /** PromQL that follows the measure and narrows it, such as `and on (uuid) ...`. Default: not narrowed. */
  only?: string;
  /** Default: the alert's measure. */
  measure?: Measure;
  /** Default: the alert's description. */
  description?: string;
  /** Set for a cause's level that has its own measure. */
  reading?: Reading;
}

/** An alert of the pack. */
export interface Alert {
  /** `Xen...`, at most 40 characters. The runbook has the same name. */
  name: string;
  kind: AlertKind;
  hop: Hop;
  /**
   * The subject of the measure: a guest (label uuid), a host and thereby all its guests (labels job and instance), an
   * exporter (labels job, instance and its own), or the rules themselves (no labels).
   */
  about: 'guest' | 'host' | 'exporter' | 'rules';
  /** The limits, each with its own severity. The first is the main level: its threshold is the unit of cause scores. */
  levels: readonly [AlertLevel, ...AlertLevel[]];
  /** PromQL of the measured value wherever the alert makes sense. A level fires while it exceeds its threshold. */
  measure: Measure;
  /** The alert is blind if any of these metrics is missing. Histograms have their own name; `a|b` needs one of both. */
  needs: readonly string[];
  for: string;
  keepFiringFor?: string;
  /** One line. May contain Prometheus templates. */
  summary: string;
  /** States the measured value. */
  description: string | ((p: Promql) => string);
  /** Set for causes and symptoms. */
  reading?: Reading;
  /** Labels of the measure that the alert keeps in addition to those that identify a guest or a host. */
  measureLabels?: readonly string[];
  /** The first command to type, after the prompt of its machine. May contain Prometheus templates. */
  command: string;
}

/** Prometheus template of the measured value as a percentage. */
export const percent = '{{ $value | humanizePercentage }}';

/** Prometheus template of the guest's name. */
export const guest = '{{ $labels.domain }}';

/** Prometheus template: `text` if a label matches the pattern, otherwise `otherwise`. */
const ifMatches = (label: string, pattern: RegExp, text: string, otherwise: string): string =>
  `{{ if match \`${pattern.source}\` $labels.${label} }}${text}{{ else }}${otherwise}{{ end }}`;

// A guest or a user may have made up the names on a page. Annotations show only names that are one shell word. xl reads
// a number as a domid, and most programs read a leading dash as an option. systemd escapes characters as \x2d.
const guestName = /^[0-9]*[A-Za-z_.][A-Za-z0-9_.-]{0,127}$/;
const namespaceName = /^([A-Za-z0-9_.:@+]|\\x[0-9a-f]{2})([A-Za-z0-9_.:@+-]|\\x[0-9a-f]{2}){0,127}$/;
const targetAddress = /^[A-Za-z0-9_.:[\]-]{1,255}$/;

/**
 * Prometheus template: empty for the guest's own network namespace, `text` if its name is one word, else `otherwise`.
 */
const inOther = (text: string, otherwise: string): string =>
  `{{ if $labels.netns }}${ifMatches('netns', namespaceName, text, otherwise)}{{ end }}`;

/** Prometheus template that names the guest's network namespace unless it is the guest's own. */
export const inNamespace = inOther(' ({{ $labels.netns }})', ' (another network namespace)');

/** Prometheus template of guest and host for a title. Long names are cut, and the host has no port. */
export const guestOnHost = `{{ printf "%.48s" $labels.domain }}${inOther(
  ' ({{ printf "%.24s" $labels.netns }})',
  ' (another network namespace)',
)}{{ if ne $labels.host "unknown" }} on {{ $labels.host | stripPort }}{{ end }}`;

/**
 * The guest's name as an argument of xl, in a template of Prometheus; a placeholder in place of a name that a shell or
 * xl would take for something else.
 */
export const guestArgument = ifMatches('domain', guestName, '{{ $labels.domain }}', '<GUEST>');

/**
 * The address of the exporter as a part of a URL in a command, in a template of Prometheus. Service discovery may take
 * it from what a guest registers.
 */
export const instanceArgument = ifMatches('instance', targetAddress, '{{ $labels.instance }}', '<INSTANCE>');

/** Enters a network namespace: one that `ip netns` named, or that of a process whose cgroup has the name. */
const enterNamespace = (name: string): string =>
  `nsenter --net="$(ls -d /run/netns/'${name}' 2>/dev/null || grep -lF '${name}' /proc/[0-9]*/cgroup | sed -n '1s,cgroup$,ns/net,p')" `;
const enterUnnamed = 'nsenter --net=<NAMESPACE> ';
const namespaceArgument = inOther(enterNamespace('{{ $labels.netns }}'), enterUnnamed);

/**
 * A command for the guest, in the network namespace that the alert is about. A placeholder takes the place of a name
 * that is no single word.
 */
export const guestCommand = (command: string): string => `guest# ${namespaceArgument}${command}`;

/**
 * The name of a guest as an argument in a command, or a placeholder for a name that a shell or xl would take for
 * something else.
 */
export const guestWord = (domain: string): string => (guestName.test(domain) ? domain : '<GUEST>');

/** The command of an alert with the values that Prometheus would fill in. */
export const filledCommand = (
  command: string,
  { domain, instance, netns }: Readonly<Record<'domain' | 'instance' | 'netns', string>>,
): string => {
  const enter = namespaceName.test(netns) ? enterNamespace(netns) : enterUnnamed;
  return command
    .replaceAll(guestArgument, () => guestWord(domain))
    .replaceAll(instanceArgument, () => (targetAddress.test(instance) ? instance : '<INSTANCE>'))
    .replaceAll(namespaceArgument, () => (netns === '' ? '' : enter));
};

/** A command, and the machine whose prompt stands before it in an alert: that of Prometheus if there is none. */
export const stepOf = (command: string): { on: 'dom0' | 'guest' | 'prometheus'; command: string } => {
  const [, machine = 'prometheus', bare] = /^(?:(dom0|guest)# )?(.*)$/s.exec(command)!;
  return { on: machine as 'dom0' | 'guest' | 'prometheus', command: bare! };
};

/**
 * True if a guest has a cap. While such a guest's mean use is far below the cap, the credit scheduler parks its vCPUs
 * when it wakes and sleeps. No metric that is always there separates parked from waiting.
 */
export const hasCap = 'on (uuid) uuid:xen_domain_cap:cpus';

/**
 * True if the CPUs' steal (rate, in CPUs) takes enough from a guest or Dom0. The ratio means little for a nearly idle
 * one, and less if Xen does not report what interrupts took and its ticks missed. While xl hung in the lab, 0.12 CPUs
 * taken from a guest looked like 0.4 of its wanted time, and 0.09 taken from Dom0 like a third.
 */
export const isTaken = (steal: string): string => `${steal} > 0.15`;

/** Restricts a measure to guests whose clients are harmed. */
export const whenClientsAreHarmed = 'and on (uuid) uuid:xen_clients_losing:bool';

/** Returns the greater of two values of a guest, or the one that exists. */
export const greater = (one: string, other: string): string => promql`
  (${one} unless on (uuid) ${other} > ${one})
    or on (uuid)
  ${other}`;
