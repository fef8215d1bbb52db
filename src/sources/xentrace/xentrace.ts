import { setImmediate } from 'node:timers/promises';
import { parseXlInfo } from '../../formats/xl-info.ts';
import type { Host } from '../../host/host.ts';
import { Unavailable } from '../../host/unavailable.ts';
import type { BackgroundTask } from '../background-task.ts';
import { xenProgram } from '../programs.ts';
import type { Toolstack, Xl } from '../toolstack/toolstack.ts';
import { CannotTrace, pauseSeconds } from '../windows.ts';
import type { Segment, TraceWindow } from './trace-window.ts';
import { AnotherTracer, Tracer, type TraceCost, type TracedWindow } from './tracer.ts';

/** How often to read Xen's trace buffer, and at what cost. */
export interface XentraceSettings {
  readonly windowSeconds: number;
  /** From the start of a window to the start of the next. */
  readonly intervalSeconds: number;
  /** Maximum size of a window in bytes. */
  readonly maxBytes: number;
  /** Share of one core. */
  readonly cpuBudget: number;
}

/** Results of windows. */
export const windowResults = ['complete', 'short', 'refused', 'failed'] as const;
export type WindowResult = (typeof windowResults)[number];

/** A window as readers receive it. */
export interface ReadableWindow {
  readonly trace: TraceWindow;
  readonly span: Segment;
  /** Frequency of the time-stamp counter, which is the trace's clock. */
  readonly hertz: number;
}

/** Reads one window in steps, between which other work runs. */
export type WindowReader = (window: ReadableWindow) => Iterable<void>;

/** Totals over all windows. */
export interface WindowTotals {
  readonly results: Readonly<Record<WindowResult, number>>;
  /** Seconds with complete records. */
  readonly armedSeconds: number;
  readonly lostRecords: number;
  readonly cost: Readonly<TraceCost>;
}

/**
 * Windows of Xen's trace buffer, which only one program can read at a time: traced once for all collectors that add a
 * reader.
 */
export class Xentrace {
  readonly #host: Host;
  readonly #settings: XentraceSettings;
  readonly #tracer: Tracer | Unavailable;
  readonly #xl: Toolstack['xl'];
  readonly #readers: WindowReader[] = [];
  readonly #cost: TraceCost = { bytes: 0, cpuSeconds: 0 };
  readonly #results: Record<WindowResult, number> = { complete: 0, short: 0, refused: 0, failed: 0 };
  #armedSeconds = 0;
  #lostRecords = 0;
  #refusal: Unavailable | undefined;
  /** Traces one window at a time. Shared by all collectors. */
  readonly task: BackgroundTask;

  constructor(host: Host, toolstack: Toolstack, settings: XentraceSettings) {
    this.#host = host;
    this.#settings = settings;
    this.#xl = toolstack.xl;
    this.#tracer = this.#createTracer(toolstack);
    const { windowSeconds: window, intervalSeconds: interval } = settings;
    this.task = { every: { seconds: pauseSeconds({ window, interval }) }, run: () => this.#run() };
  }

  /** Why tracing is impossible here, as far as known; undefined while it may work. */
  get unavailable(): Unavailable | undefined {
    return this.#tracer instanceof Unavailable ? this.#tracer : this.#refusal;
  }

  get totals(): WindowTotals {
    return {
      results: this.#results,
      armedSeconds: this.#armedSeconds,
      lostRecords: this.#lostRecords,
      cost: this.#cost,
    };
  }

  /** Passes all future windows to `reader`. */
  addReader(reader: WindowReader): void {
    this.#readers.push(reader);
  }

  #createTracer(toolstack: Toolstack): Tracer | Unavailable {
    if (toolstack.xl instanceof Unavailable) return toolstack.xl;
    const { commands } = this.#host;
    const xentrace = xenProgram(commands, 'xentrace');
    if (xentrace instanceof Unavailable) return xentrace;
    const lsevtchn = xenProgram(commands, 'lsevtchn');
    if (lsevtchn instanceof Unavailable) return lsevtchn;
    const { windowSeconds, intervalSeconds, maxBytes, cpuBudget } = this.#settings;
    // The readers cost about as much as reading the trace.
    const maxCpuSeconds = (cpuBudget * Math.max(intervalSeconds, windowSeconds)) / 2;
    return new Tracer({
      host: this.#host,
      toolstack,
      programs: { xentrace, lsevtchn },
      limits: { windowSeconds, maxBytes, maxCpuSeconds },
    });
  }

  async #run(): Promise<void> {
    if (this.#tracer instanceof Unavailable || this.#xl instanceof Unavailable || this.#refusal) return;
    try {
      const hertz = await this.#hertz(this.#xl);
      const window = await this.#tracer.trace(this.#cost);
      await this.#read(window, hertz);
    } catch (error) {
      if (error instanceof CannotTrace) {
        this.#refusal = Unavailable.because(error);
        return;
      }
      this.#results[error instanceof AnotherTracer ? 'refused' : 'failed'] += 1;
      throw error;
    }
  }

  async #hertz({ info, read }: Xl): Promise<number> {
    // If the required value is missing, report that.
    const { cpuMhz } = info.last ?? (await read(['info'], parseXlInfo, () => {}));
    if (!cpuMhz) throw new Error('xl info lacks cpu_mhz, the time unit of the trace');
    return cpuMhz * 1e6;
  }

  async #read({ isShort, trace, span }: TracedWindow, hertz: number): Promise<void> {
    for (const reader of this.#readers) await this.#inSteps(reader({ trace, span, hertz }));
    this.#results[isShort ? 'short' : 'complete'] += 1;
    this.#armedSeconds += trace.segments(span).reduce((sum, { begin, end }) => sum + end - begin, 0) / hertz;
    this.#lostRecords += trace.lostRecords;
  }

  async #inSteps(steps: Iterable<void>): Promise<void> {
    const { clock } = this.#host;
    const iterator = steps[Symbol.iterator]();
    for (;;) {
      const begin = clock.cpuSeconds();
      const { done } = iterator.next();
      this.#cost.cpuSeconds += clock.cpuSeconds() - begin;
      if (done) return;
      await setImmediate();
    }
  }
}
