/** Group of all our events, and prefix of our instances and synthetic events. */
export const ours = 'xen_exporter';

export const probeSetNames = ['grants', 'events', 'accept'] as const;
export type ProbeSetName = (typeof probeSetNames)[number];

/** A kernel function that is probed at its entry or return. */
export interface Probe {
  /** Name of the event, in our group. */
  readonly event: string;
  readonly function: string;
  readonly at: 'entry' | 'return';
  /** Arguments to record, such as `NAME=%REGISTER:TYPE`. */
  readonly takes: readonly string[];
}

/** Counts the hits of a probe by keys and sums its values. */
export interface Count {
  readonly event: string;
  readonly keys: string;
  readonly sums: readonly string[];
}

/** The time between two hits with the same key, as a synthetic event of this name. */
export interface Delay {
  /** Without our common prefix. */
  readonly name: string;
  readonly from: { readonly event: string; readonly keys: string };
  readonly to: { readonly event: string; readonly keys: string; readonly only?: string };
}

/** Probes that are useful only together. */
export interface ProbeSet {
  readonly name: ProbeSetName;
  readonly probes: readonly Probe[];
  readonly counts: readonly Count[];
  readonly delays: readonly Delay[];
}

/** A tracefs command for an event at `events/EVENT` of an instance. */
export interface Trigger {
  readonly event: string;
  readonly command: string;
}

// Before Linux 4.20 arguments have no numbers, only registers. These are x86-64's, the only Dom0 architecture at that
// time.
const registers = ['%di', '%si', '%dx', '%cx'] as const;
const argument = (number: 1 | 2 | 3 | 4): string => (process.arch === 'x64' ? registers[number - 1]! : `$arg${number}`);

/**
 * The number of operations is an argument of gnttab_batch_copy, gnttab_map_refs and gnttab_unmap_refs
 * (include/xen/grant_table.h).
 */
const grantFunctions = {
  copy: { function: 'gnttab_batch_copy', count: argument(2) },
  map: { function: 'gnttab_map_refs', count: argument(4) },
  unmap: { function: 'gnttab_unmap_refs', count: argument(4) },
} as const;
export const grantOperations = ['copy', 'map', 'unmap'] as const;

// A thread can move to another CPU during a call, and idle threads share a pid. So the key needs both.
const sameCall = 'cpu,common_pid';

const grants: ProbeSet = {
  name: 'grants',
  probes: grantOperations.flatMap((operation): Probe[] => {
    const { function: name, count } = grantFunctions[operation];
    return [
      { event: operation, function: name, at: 'entry', takes: [`count=${count}:u32`] },
      { event: `${operation}_return`, function: name, at: 'return', takes: [] },
    ];
  }),
  counts: grantOperations.map((event) => ({ event, keys: 'common_pid.execname', sums: ['count'] })),
  delays: grantOperations.map((operation) => ({
    name: `${operation}_time`,
    from: { event: operation, keys: sameCall },
    to: { event: `${operation}_return`, keys: sameCall },
  })),
};

/** drivers/xen/events/events_base.c. */
const events: ProbeSet = {
  name: 'events',
  probes: [
    { event: 'send', function: 'notify_remote_via_irq', at: 'entry', takes: [`irq=${argument(1)}:u32`] },
    {
      event: 'eoi',
      function: 'xen_irq_lateeoi',
      at: 'entry',
      takes: [`irq=${argument(1)}:u32`, `flags=${argument(2)}:u32`],
    },
  ],
  counts: [
    { event: 'send', keys: 'irq', sums: [] },
    { event: 'eoi', keys: 'irq,flags', sums: [] },
  ],
  delays: [],
};

const accepted = { event: 'accept', keys: 'newsk', only: 'newsk != 0' } as const;

/**
 * A connection enters the queue in inet_csk_complete_hashdance. Connections from SYN cookies or Fast Open call
 * inet_csk_reqsk_queue_add from other files (net/ipv4/syncookies.c, tcp_input.c). Ordinary ones do not if the compiler
 * has inlined that function.
 */
const accept: ProbeSet = {
  name: 'accept',
  probes: [
    {
      event: 'queue',
      function: 'inet_csk_complete_hashdance',
      at: 'entry',
      takes: [`child=${argument(2)}:x64`],
    },
    { event: 'add', function: 'inet_csk_reqsk_queue_add', at: 'entry', takes: [`child=${argument(3)}:x64`] },
    { event: accepted.event, function: 'inet_csk_accept', at: 'return', takes: ['newsk=$retval:x64'] },
  ],
  counts: [],
  delays: [
    { name: 'queue_time', from: { event: 'queue', keys: 'child' }, to: accepted },
    { name: 'add_time', from: { event: 'add', keys: 'child' }, to: accepted },
  ],
};

export const probeSets: Readonly<Record<ProbeSetName, ProbeSet>> = { grants, events, accept };

/** Returns whether the set needs this probe. The others cover alternative paths. */
export const isNeeded = ({ event }: Probe): boolean => event !== 'add';

// Calls tracked concurrently for return probes. Threads that wait in accept() occupy one each.
const followedCalls = 1024;
// Rows of a table (threads, connections). The kernel allocates all of them when the trigger is set.
const rows = 4096;
const rowsOfPowers = 128;

// The default clock, global, never goes back: a CPU whose clock lags gets the latest time, so many durations would be
// 0.
const clock = 'clock=mono';

/** Name of an event in kprobe_profile, which shows no groups. */
export const eventName = (event: string): string => `${ours}_${event}`;

/** Command for kprobe_events that creates a probe. */
export const probeCommand = ({ event, function: name, at, takes }: Probe): string =>
  [`${at === 'entry' ? 'p' : `r${followedCalls}`}:${ours}/${eventName(event)}`, name, ...takes].join(' ');

/** Command for synthetic_events that creates the event of a delay. */
export const delayCommand = ({ name }: Delay): string => `${eventName(name)} u64 ns`;

/** Folder of the event within an instance. */
export const probeFolder = (event: string): string => `${ours}/${eventName(event)}`;
export const delayFolder = ({ name }: Delay): string => `synthetic/${eventName(name)}`;

const countTrigger = ({ event, keys, sums }: Count): Trigger => ({
  event: probeFolder(event),
  command: `hist:keys=${keys}:vals=${['hitcount', ...sums].join(',')}:size=${rows}`,
});

/**
 * Counting triggers precede the events that feed them. Each variable has its own name, because an event may have
 * several.
 */
const delayTriggers = (delay: Delay): Trigger[] => {
  const { name, from, to } = delay;
  const filter = to.only === undefined ? '' : ` if ${to.only}`;
  return [
    { event: delayFolder(delay), command: `hist:keys=ns.log2:vals=hitcount,ns:size=${rowsOfPowers}` },
    {
      event: probeFolder(from.event),
      command: `hist:keys=${from.keys}:${name}_at=common_timestamp:size=${rows}:${clock}`,
    },
    {
      event: probeFolder(to.event),
      command: `hist:keys=${to.keys}:${name}_ns=common_timestamp-$${name}_at:size=${rows}:${clock}:onmatch(${ours}.${eventName(from.event)}).${eventName(name)}($${name}_ns)${filter}`,
    },
  ];
};

/** All triggers of a set, in the order to set them. */
export const triggersOf = ({ counts, delays }: ProbeSet): Trigger[] => [
  ...counts.map(countTrigger),
  ...delays.flatMap(delayTriggers),
];
