import type { Notification } from '../../tools/lib/alertmanager.ts';
import { scaledQuery } from '../../tools/lib/time-scale.ts';
import { until } from '../../tools/lib/until.ts';
import type { Chain } from './chain.ts';
import { causesOf, Scene, trueTickets, type Concern, type Fault, type HealthyLoad } from './fault.ts';
import type { RuleClock } from './rule-clock.ts';

/** An alert that was notified. */
export interface Told extends Concern {
  receiver: string;
  /** For a page: the strongest cause in its annotation. */
  cause: string | undefined;
  /** Seconds of rules' time since the fault reached full strength; 0 if it was notified before. */
  afterSeconds: number;
}

/** Unix times in seconds. */
export interface Times {
  /** Start of the near miss or of the healthy load. */
  begin: number;
  /** Start of the fault. Alerts may be notified before it reaches full strength. */
  begun: number;
  injected: number;
  told?: number;
  undone: number;
  end: number;
}

/** The result of a fault or of a healthy load. */
export interface Verdict {
  name: string;
  title: string;
  /** First notification of each alert during the fault or load. */
  told: Told[];
  /**
   * For a fault: the expected alert was notified, by itself or named in a page; every page was about that guest and
   * cause; every ticket was true; and the near miss did not page. For a healthy load: only its true info alerts were
   * notified.
   */
  isRight: boolean;
  /** Seconds of rules' time until the expected alert was notified. */
  toldAfterSeconds?: number;
  /** Pages about the expected guest: one for one trouble. */
  pages: number;
  /** Whether a runbook's commands ended the fault while the load continued. */
  isMitigated?: boolean;
  /**
   * Seconds of rules' time from mitigation, or from the end of the fault, until the alert was notified as resolved; 0
   * if it was earlier.
   */
  resolvedAfterSeconds?: number;
  /** Pages in the near miss or during the healthy load. */
  falsePages: Told[];
  times: Times;
}

/** The course of a fault until it was undone. Unix times in milliseconds. */
interface Course {
  /** Start of the fault. Notifications count from here. */
  begun: number;
  injected: number;
  told: Told[];
  /** The expected one among them. */
  first: Told | undefined;
  mitigation?: { at: number; resolved: number | undefined };
}

// By then the windows and waits of symptoms are over.
const healthyMinutes = 15;
const nearMissMinutes = 11;
const tellTimeoutMinutes = 25;
const resolveTimeoutMinutes = 40;
const historyTimeoutMinutes = 90;
/** Time in which Alertmanager would send a second notification. */
const settleMinutes = 6;

const isPage = ({ receiver }: { receiver: string }): boolean => receiver === 'page';

export class Judge {
  readonly #chain: Chain;
  readonly #clock: RuleClock;
  readonly #scene: Scene;
  readonly #progress: (message: string) => void;

  constructor(chain: Chain, scene: Scene, progress: (message: string) => void) {
    this.#chain = chain;
    this.#clock = chain.clock;
    this.#scene = scene;
    this.#progress = progress;
  }

  /** Runs the near miss, then the fault, and waits for notifications. */
  async fault(fault: Fault): Promise<Verdict> {
    const steady = new Scene(this.#scene.lab);
    try {
      await fault.steady?.(steady);
      return await this.#judged(fault);
    } finally {
      await steady.clear();
    }
  }

  async #judged(fault: Fault): Promise<Verdict> {
    const { name, title, expected, precondition } = fault;
    await this.#quiet();
    const begin = Date.now();
    const falsePages = await this.#nearMiss(fault);
    await this.#quiet();
    if (precondition !== undefined) await this.#answered(precondition);

    const { begun, injected, told, first, mitigation } = await this.#course(fault);
    const undone = mitigation?.at ?? Date.now();
    const resolved = mitigation ? mitigation.resolved : first && (await this.#resolved(first, begun));
    const hasCause = expected.causes === undefined || expected.causes.includes(first?.cause ?? '');
    const causes = causesOf(expected);
    const isOfVictim = (domain: string | undefined): boolean => domain === expected.domain;
    const isTrue = (each: Told): boolean =>
      isPage(each)
        ? isOfVictim(each.domain) && causes.includes(each.cause ?? '')
        : trueTickets(expected).some(({ alert, domain }) => alert === each.alert && domain === each.domain);
    const pages = this.#notifications(begun, undone).filter(
      (notification) => isPage(notification) && notification.alerts.some(({ labels }) => isOfVictim(labels['domain'])),
    );
    if (pages.length > 1) this.#progress(`${name}: more than one notification: ${JSON.stringify(pages)}`);
    return {
      name,
      title,
      told,
      isRight: first !== undefined && hasCause && told.every(isTrue) && falsePages.length === 0,
      ...(first && { toldAfterSeconds: first.afterSeconds }),
      pages: pages.length,
      isMitigated: mitigation !== undefined,
      ...(resolved !== undefined && { resolvedAfterSeconds: Math.max(0, this.#clock.seconds(resolved - undone)) }),
      falsePages,
      times: {
        begin: begin / 1000,
        begun: begun / 1000,
        injected: injected / 1000,
        ...(first && { told: injected / 1000 + first.afterSeconds * this.#clock.scale }),
        undone: undone / 1000,
        end: Date.now() / 1000,
      },
    };
  }

  /** Runs the fault until its notification or timeout, mitigates it if possible, and undoes it. */
  async #course(fault: Fault): Promise<Course> {
    const { name, expected, mitigate } = fault;
    // A page that names the cause mutes the cause's ticket.
    const isExpected = (told: Told): boolean =>
      told.domain === expected.domain &&
      (told.alert === expected.alert || (isPage(told) && causesOf(expected).includes(told.cause ?? '')));
    this.#progress(`${name}: fault`);
    try {
      const begun = Date.now();
      await fault.inject(this.#scene);
      const injected = Date.now();
      await until('the expected alert', () => this.#told(begun, injected).some(isExpected), {
        timeoutMs: this.#clock.minutes(tellTimeoutMinutes),
        intervalMs: 100,
        // A timeout is a verdict too.
      }).catch(() => {});
      await this.#wait(settleMinutes);
      const told = this.#told(begun, injected);
      const first = told.find(isExpected);
      if (first === undefined || mitigate === undefined) return { begun, injected, told, first };
      this.#progress(`${name}: mitigation`);
      // A failed mitigation does not prevent the verdict.
      const isMitigated = await mitigate(this.#scene).then(
        () => true,
        (error: Error) => this.#progress(`${name}: no mitigation: ${error.message}`),
      );
      if (!isMitigated) return { begun, injected, told, first };
      const at = Date.now();
      return { begun, injected, told, first, mitigation: { at, resolved: await this.#resolved(first, begun) } };
    } finally {
      this.#progress(`${name}: undo`);
      await this.#undo(fault);
    }
  }

  /** Pages during the near miss. */
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
    const isTrue = ({ receiver, alert, domain }: Told): boolean =>
      receiver === 'info' && (load.besides ?? []).some((each) => each.alert === alert && each.domain === domain);
    return {
      name: load.name,
      title: load.title,
      told,
      isRight: told.every(isTrue),
      pages: falsePages.length,
      falsePages,
      times: {
        begin: begin / 1000,
        begun: undone / 1000,
        injected: undone / 1000,
        undone: undone / 1000,
        end: Date.now() / 1000,
      },
    };
  }

  /** Waits until no alert of the last trouble is left. */
  async #quiet(): Promise<void> {
    const left = async (): Promise<string[]> =>
      (await this.#chain.prometheus.query('ALERTS{severity!~"info|none"}')).map(({ metric }) => JSON.stringify(metric));
    await until('all alerts to end', async () => (await left()).length === 0, {
      timeoutMs: this.#clock.minutes(resolveTimeoutMinutes),
      intervalMs: 500,
    }).catch(async (error: Error) => {
      throw new Error(`${error.message}: ${(await left()).join()}`, { cause: error });
    });
  }

  async #answered(query: string): Promise<void> {
    await until(
      query,
      async () => (await this.#chain.prometheus.query(scaledQuery(query, this.#clock.scale))).length > 0,
      {
        timeoutMs: this.#clock.minutes(historyTimeoutMinutes),
        intervalMs: 500,
      },
    );
  }

  /** Waits for minutes of rules' time, by Prometheus's evaluations. */
  async #wait(count: number): Promise<void> {
    const end = Date.now() + this.#clock.minutes(count);
    await until('time to pass', async () => (await this.#chain.prometheus.query('time()'))[0]!.value * 1000 > end, {
      timeoutMs: this.#clock.minutes(count) + 30_000,
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

  /** The first notification of each alert and domain since a time. Seconds count from `injected`. */
  #told(from: number, injected = from): Told[] {
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
          afterSeconds: Math.max(0, this.#clock.seconds(receivedAt - injected)),
        });
      }
    }
    return [...all.values()];
  }

  /**
   * When the alert, or all pages about the guest, were notified as resolved. Undefined if a later notification fires.
   */
  async #resolved(first: Told, from: number): Promise<number | undefined> {
    const isIt = ({ labels }: Notification['alerts'][number]): boolean =>
      labels['domain'] === first.domain && (isPage(first) || labels['alertname'] === first.alert);
    const find = (): Notification | undefined => {
      const last = this.#chain.alertmanager.notifications.findLast(
        ({ receiver, receivedAt, alerts }) => receiver === first.receiver && receivedAt >= from && alerts.some(isIt),
      );
      return last?.alerts.some((alert) => isIt(alert) && alert.status === 'firing') ? undefined : last;
    };
    const notification = await until('the alert to resolve', find, {
      timeoutMs: this.#clock.minutes(resolveTimeoutMinutes),
      intervalMs: 200,
    }).catch(() => undefined);
    return notification?.receivedAt;
  }
}
