import type { Notification } from '../support/alertmanager.ts';
import { scaledQuery } from '../support/time-scale.ts';
import { until } from '../support/until.ts';
import { minutes, TIME_SCALE, type Chain } from './chain.ts';
import type { Fault, HealthyLoad, Scene } from './faults/fault.ts';

/** An alert that a person was told of. */
export interface Told {
  receiver: string;
  alert: string;
  domain: string | undefined;
  /** Of a page: the strongest cause by its annotation. */
  cause: string | undefined;
  /** Seconds for the rules since the fault was there. */
  afterSeconds: number;
}

/** Times of Unix, in seconds. */
export interface Times {
  /** Of the near miss, or of the healthy load. */
  begin: number;
  injected: number;
  told?: number;
  undone: number;
  end: number;
}

/** What came of a fault, or of a healthy load. */
export interface Verdict {
  name: string;
  title: string;
  /** The first of each alert, while the fault or the load was there. */
  told: Told[];
  /** Whether the expected guest and cause were told and nobody else's page, and no page in the near miss or with the healthy load. */
  isRight: boolean;
  /** Seconds for the rules until the expected was told. */
  toldAfterSeconds?: number;
  /** Pages sent of the expected guest: one for one trouble. */
  pages: number;
  /** Whether the fault was ended by what a runbook says, with the load going on. */
  isMitigated?: boolean;
  /** Seconds for the rules from its mitigation, or from the end of the fault, until it was told that it is over; 0 where it had been before. */
  resolvedAfterSeconds?: number;
  /** Pages in the near miss, or with the healthy load. */
  falsePages: Told[];
  times: Times;
}

// Windows and waits of symptoms are over by then.
const healthyMinutes = 15;
const nearMissMinutes = 11;
const tellTimeoutMinutes = 25;
const resolveTimeoutMinutes = 40;
const historyTimeoutMinutes = 90;
/** Time for Alertmanager to send a second notification, if it had one to send. */
const settleMinutes = 6;

const isPage = ({ receiver }: { receiver: string }): boolean => receiver === 'page';

const seconds = (ms: number): number => Math.round(ms / 1000 / TIME_SCALE);

export class Judge {
  readonly #chain: Chain;
  readonly #scene: Scene;
  readonly #progress: (message: string) => void;

  constructor(chain: Chain, scene: Scene, progress: (message: string) => void) {
    this.#chain = chain;
    this.#scene = scene;
    this.#progress = progress;
  }

  /** Does the near miss, then the fault, and waits for what is told. */
  async fault(fault: Fault): Promise<Verdict> {
    const { expected } = fault;
    await this.#quiet();
    const begin = Date.now();
    const falsePages = await this.#nearMiss(fault);
    await this.#quiet();
    if (fault.precondition !== undefined) await this.#answered(fault.precondition);

    this.#progress(`${fault.name}: fault`);
    let injected = Date.now();
    let undone: number | undefined;
    let told: Told[];
    let first: Told | undefined;
    let resolved: number | undefined;
    const isExpected = ({ alert, domain }: Told): boolean => alert === expected.alert && domain === expected.domain;
    try {
      await fault.inject(this.#scene);
      injected = Date.now();
      await until('what is expected to be told', () => this.#told(injected).some(isExpected), {
        timeoutMs: minutes(tellTimeoutMinutes),
        intervalMs: 100,
        // A verdict too.
      }).catch(() => {});
      await this.#wait(settleMinutes);
      told = this.#told(injected);
      first = told.find(isExpected);
      if (first && fault.mitigate) {
        this.#progress(`${fault.name}: mitigation`);
        await fault.mitigate(this.#scene);
        undone = Date.now();
        resolved = await this.#resolved(first, injected);
      }
    } finally {
      this.#progress(`${fault.name}: undo`);
      await this.#undo(fault);
    }
    const isMitigated = undone !== undefined;
    if (undone === undefined) {
      undone = Date.now();
      resolved = first && (await this.#resolved(first, injected));
    }
    const pages = told.filter(isPage);
    const hasCause = expected.causes === undefined || expected.causes.includes(first?.cause ?? '');
    return {
      name: fault.name,
      title: fault.title,
      told,
      isRight:
        first !== undefined &&
        hasCause &&
        pages.every(({ domain }) => domain === expected.domain) &&
        falsePages.length === 0,
      ...(first && { toldAfterSeconds: first.afterSeconds }),
      pages: this.#notifications(injected, undone).filter(
        (notification) => isPage(notification) && notification.groupLabels['domain'] === expected.domain,
      ).length,
      isMitigated,
      ...(resolved !== undefined && { resolvedAfterSeconds: Math.max(0, seconds(resolved - undone)) }),
      falsePages,
      times: {
        begin: begin / 1000,
        injected: injected / 1000,
        ...(first && { told: injected / 1000 + first.afterSeconds * TIME_SCALE }),
        undone: undone / 1000,
        end: Date.now() / 1000,
      },
    };
  }

  /** The pages that it brings. */
  async #nearMiss(fault: Fault): Promise<Told[]> {
    this.#progress(`${fault.name}: near miss`);
    const begin = Date.now();
    try {
      await fault.nearMiss(this.#scene);
      await this.#wait(nearMissMinutes);
      return this.#told(begin).filter(isPage);
    } finally {
      await this.#undo(fault);
    }
  }

  async healthy(load: HealthyLoad): Promise<Verdict> {
    await this.#quiet();
    this.#progress(load.name);
    const begin = Date.now();
    let undone: number;
    try {
      await load.begin(this.#scene);
      await this.#wait(healthyMinutes);
      undone = Date.now();
    } finally {
      await this.#undo(load);
    }
    const told = this.#told(begin);
    const falsePages = told.filter(isPage);
    return {
      name: load.name,
      title: load.title,
      told,
      isRight: falsePages.length === 0,
      pages: falsePages.length,
      falsePages,
      times: { begin: begin / 1000, injected: undone / 1000, undone: undone / 1000, end: Date.now() / 1000 },
    };
  }

  /** Until no alert of the last trouble is left. */
  async #quiet(): Promise<void> {
    await until(
      'all alerts to end',
      async () => (await this.#chain.prometheus.query('ALERTS{severity!="info"}')).length === 0,
      { timeoutMs: minutes(resolveTimeoutMinutes), intervalMs: 500 },
    );
  }

  async #answered(query: string): Promise<void> {
    await until(query, async () => (await this.#chain.prometheus.query(scaledQuery(query, TIME_SCALE))).length > 0, {
      timeoutMs: minutes(historyTimeoutMinutes),
      intervalMs: 500,
    });
  }

  /** So many minutes for the rules, by what Prometheus has evaluated. */
  async #wait(count: number): Promise<void> {
    const end = Date.now() + minutes(count);
    await until('time to pass', async () => (await this.#chain.prometheus.query('time()'))[0]!.value * 1000 > end, {
      timeoutMs: minutes(count) + 30_000,
      intervalMs: 500,
    });
  }

  async #undo({ undo }: { undo?(scene: Scene): Promise<void> }): Promise<void> {
    await this.#scene.clear();
    await undo?.(this.#scene);
  }

  #notifications(from: number, to = Infinity): Notification[] {
    return this.#chain.alertmanager.notifications.filter(
      ({ status, receivedAt }) => status === 'firing' && receivedAt >= from && receivedAt <= to,
    );
  }

  /** The first of each alert about each domain. */
  #told(from: number): Told[] {
    const all = new Map<string, Told>();
    for (const { receiver, receivedAt, alerts } of this.#notifications(from)) {
      for (const { status, labels, annotations } of alerts) {
        const { alertname: alert = '', domain } = labels;
        const key = [receiver, alert, domain].join();
        if (status !== 'firing' || all.has(key)) continue;
        all.set(key, {
          receiver,
          alert,
          domain,
          cause: annotations['cause'],
          afterSeconds: seconds(receivedAt - from),
        });
      }
    }
    return [...all.values()];
  }

  /** When it was told that the alert is over, if the last that was told of it since then is that. */
  async #resolved({ alert, domain }: Told, from: number): Promise<number | undefined> {
    const isIt = ({ labels }: Notification['alerts'][number]): boolean =>
      labels['alertname'] === alert && labels['domain'] === domain;
    const find = (): Notification | undefined => {
      const last = this.#chain.alertmanager.notifications.findLast(
        ({ receivedAt, alerts }) => receivedAt >= from && alerts.some(isIt),
      );
      return last?.alerts.find(isIt)?.status === 'resolved' ? last : undefined;
    };
    const notification = await until('its end to be told', find, {
      timeoutMs: minutes(resolveTimeoutMinutes),
      intervalMs: 200,
    }).catch(() => undefined);
    return notification?.receivedAt;
  }
}
