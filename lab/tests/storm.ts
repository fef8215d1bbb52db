import { describe, expect, test } from 'vitest';
import { until } from '../../tools/lib/until.ts';
import type { GuestName } from '../harness/lab.ts';
import type { Stage } from '../harness/stage.ts';
import { tell } from '../harness/tell.ts';

const WINDOW_SECONDS = 60;
const window = `[${WINDOW_SECONDS}s]`;

const VICTIM = 'domu1';
/** A guest that is neither attacked nor busy nor pinned. */
const QUIET = 'pvh1';

interface Symptom {
  /** PromQL of one number about a guest over the window. */
  of: (guest: GuestName) => string;
  /** Minimum in the victim during the storm ... */
  atLeast: number;
  /** ... and as a multiple of the value before the storm. */
  timesIdle: number;
  /** Maximum in the quiet guest during the storm, as a fraction of the victim's value. */
  quietShare: number;
}

/** Listeners under attack, without the one that sleeps with a full queue. */
const listeners = (guest: GuestName): string => `{machine="${guest}",port!="9000"}`;
const observations = (guest: GuestName, more = ''): string =>
  `sum(rate(xen_domain_vcpu_observations_total{domain="${guest}"${more}}${window}))`;

/** Effects of a storm on a guest, hop by hop, from its accept queue back to the host's CPUs. */
const SYMPTOMS: Record<string, Symptom> = {
  'share of time with a full accept queue': {
    of: (guest) => `max(rate(xen_listener_accept_queue_full_seconds_total${listeners(guest)}${window}))`,
    atLeast: 0.3,
    timesIdle: 10,
    quietShare: 0.01,
  },
  'mean length of the accept queue': {
    of: (guest) => `max(rate(xen_listener_accept_queue_connection_seconds_total${listeners(guest)}${window}))`,
    atLeast: 4,
    timesIdle: 10,
    quietShare: 0.05,
  },
  'drops by listeners, per second': {
    of: (guest) => `sum(rate(xen_listener_drops_total${listeners(guest)}${window}))`,
    atLeast: 10,
    timesIdle: 10,
    quietShare: 0.01,
  },
  'CPUs stolen': {
    of: (guest) => `sum(rate(xen_cpu_seconds_total{machine="${guest}",mode="steal"}${window}))`,
    atLeast: 0.5,
    timesIdle: 10,
    quietShare: 0.2,
  },
  'share of observations in which its vCPUs wait for a CPU': {
    of: (guest) => `${observations(guest, ',state="runnable"')} / ${observations(guest)}`,
    atLeast: 0.4,
    timesIdle: 4,
    quietShare: 0.3,
  },
  'CPU time of its netback threads, per second': {
    of: (guest) => `sum(rate(xen_netback_cpu_seconds_total{domain="${guest}"}${window}))`,
    atLeast: 0.01,
    timesIdle: 5,
    quietShare: 0.3,
  },
  'time that they wait for a CPU of Dom0, per second': {
    of: (guest) => `sum(rate(xen_netback_thread_runqueue_wait_seconds_total{domain="${guest}"}${window}))`,
    atLeast: 0.01,
    timesIdle: 5,
    // The clients are Dom0 processes and keep its CPUs busy, so every thread there waits longer.
    quietShare: 0.6,
  },
  'slots that netback consumes, per second': {
    of: (guest) => `sum(rate(xen_netback_ring_consumed_slots_total{domain="${guest}"}${window}))`,
    atLeast: 100,
    timesIdle: 10,
    quietShare: 0.1,
  },
  'receive interrupts of netfront, per second': {
    of: (guest) => `sum(rate(xen_netfront_interrupts_total{machine="${guest}",ring="rx"}${window}))`,
    atLeast: 20,
    timesIdle: 10,
    quietShare: 0.1,
  },
};

/** Metrics of an attacked guest move, and those of a quiet one do not. */
export function describeStorm(stage: () => Stage): void {
  type Answers = Record<string, number>;
  const ask = async (guest: GuestName): Promise<Answers> => {
    const all = Object.entries(SYMPTOMS).map(
      async ([name, { of }]) => [name, await stage().number(of(guest))] as const,
    );
    return Object.fromEntries((await Promise.all(all)).map(([name, value]) => [name, value ?? NaN]));
  };

  describe('a storm of connections against a small slow server in domu1, whose vCPUs share one CPU with busy ones', () => {
    test('moves every metric of the hops that suffer, and none of a quiet guest', { timeout: 900_000 }, async () => {
      const { dom0 } = stage().lab;
      await stage().scrapedFor(WINDOW_SECONDS);
      const before = await ask(VICTIM);
      const unmoved = (storm: Answers): string[] =>
        Object.entries(SYMPTOMS).flatMap(([name, { atLeast, timesIdle }]) => {
          const value = storm[name]!;
          return value >= atLeast && value >= before[name]! * timesIdle
            ? []
            : [`${name}: ${before[name]}, then ${value}`];
        });

      await dom0.run('/lab/storm start');
      let storm: Answers = {};
      let quiet: Answers = {};
      try {
        const isMoved = async () => {
          [storm, quiet] = await Promise.all([ask(VICTIM), ask(QUIET)]);
          return unmoved(storm).length === 0;
        };
        await until('the metrics to move', isMoved, {
          timeoutMs: 300_000,
          intervalMs: 2000,
          // Metrics that have not moved by then fail below.
        }).catch(() => {});
      } finally {
        await dom0.run('/lab/storm stop');
      }
      report(before, storm, quiet);
      expect(unmoved(storm)).toEqual([]);
      const moved = Object.entries(SYMPTOMS).flatMap(([name, { quietShare }]) =>
        quiet[name]! <= storm[name]! * quietShare ? [] : [`${name}: ${quiet[name]}, of the victim ${storm[name]}`],
      );
      expect(moved).toEqual([]);
    });
  });

  function report(before: Answers, storm: Answers, quiet: Answers): void {
    const columns = (values: readonly string[]) => values.map((value) => value.padStart(12)).join('');
    const rows = Object.keys(SYMPTOMS).map((name) => {
      const values = [before, storm, quiet].map((answers) => answers[name]!.toPrecision(3));
      return `${name.padEnd(58)}${columns(values)}`;
    });
    const title = `${''.padEnd(58)}${columns(['before', 'in storm', 'quiet guest'])}`;
    tell([title, ...rows].join('\n'));
  }
}
