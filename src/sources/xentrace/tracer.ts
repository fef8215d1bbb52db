import { parseVirqs, traceBufferVirq } from '../../formats/lsevtchn.ts';
import { runStateEvents, XentraceParser } from '../../formats/xentrace.ts';
import type { Host } from '../../host/host.ts';
import { readCommand } from '../background-reading.ts';
import { naming } from '../parsed.ts';
import type { Toolstack } from '../toolstack/toolstack.ts';
import { CannotTrace } from '../windows.ts';
import { TraceWindow, type Segment } from './trace-window.ts';

/** Another program is tracing. It was not disturbed. */
export class AnotherTracer extends Error {
  override readonly name = 'AnotherTracer';
}

/** Limits of a window. */
export interface TraceLimits {
  readonly windowSeconds: number;
  readonly maxBytes: number;
  /** CPU time of this process while it reads the trace. */
  readonly maxCpuSeconds: number;
}

/** Cost of a window, successful or not. */
export interface TraceCost {
  bytes: number;
  cpuSeconds: number;
}

/** A traced window. */
export interface TracedWindow {
  /** A limit ended the window early. */
  readonly isShort: boolean;
  readonly trace: TraceWindow;
  /** From the first record to the last. */
  readonly span: Segment;
}

// Bytes that xentrace may write after it was asked to end: the contents of all CPUs' buffers.
const restBytes = 32 << 20;
const turnOffSeconds = 1;

/** Runs xentrace for one window at a time. Never shares Xen's trace buffer with another program. */
export class Tracer {
  readonly #host: Pick<Host, 'commands' | 'clock'>;
  readonly #toolstack: Toolstack;
  readonly #programs: { readonly xentrace: string; readonly lsevtchn: string };
  readonly #limits: TraceLimits;

  constructor(spec: {
    host: Pick<Host, 'commands' | 'clock'>;
    toolstack: Toolstack;
    programs: { xentrace: string; lsevtchn: string };
    limits: TraceLimits;
  }) {
    this.#host = spec.host;
    this.#toolstack = spec.toolstack;
    this.#programs = spec.programs;
    this.#limits = spec.limits;
  }

  /**
   * Traces a window. Adds its cost to `cost`, even on failure. Rejects with AnotherTracer, CannotTrace, CommandError or
   * ParseError; tracing is then off, unless another program uses it.
   */
  async trace(cost: TraceCost): Promise<TracedWindow> {
    await this.#checkNobodyTraces();
    const trace = new TraceWindow();
    const parser = new XentraceParser(trace);
    const isShort = await this.#read(parser, cost);
    return { isShort, trace, span: parser.span ?? { begin: 0, end: 0 } };
  }

  /** A second xentrace would fail too, but only after changing the first one's event mask. */
  async #checkNobodyTraces(): Promise<void> {
    const { lsevtchn } = this.#programs;
    const command = this.#toolstack.command('lsevtchn', lsevtchn, ['0']);
    const virqs = await readCommand(this.#host.commands, command, parseVirqs, refuse).catch(explain);
    if (!virqs.includes(traceBufferVirq)) return;
    throw new AnotherTracer(`another program is tracing (Dom0 has bound virtual IRQ ${traceBufferVirq})`);
  }

  /** Resolves to whether a limit ended the window early. */
  async #read(parser: XentraceParser, cost: TraceCost): Promise<boolean> {
    const { commands, clock } = this.#host;
    const { windowSeconds, maxBytes, maxCpuSeconds } = this.#limits;
    const mask = `0x${runStateEvents.toString(16).padStart(8, '0')}`;
    const args = ['-D', '-e', mask, '-T', String(windowSeconds), '/dev/stdout'];
    const command = this.#toolstack.command('xentrace', this.#programs.xentrace, args);
    const limited = {
      ...command,
      timeoutSeconds: windowSeconds + command.timeoutSeconds,
      maxBytes: maxBytes + restBytes,
    };
    let bytes = 0;
    let cpuSeconds = 0;
    let isShort = false;
    try {
      await commands.stream(limited, (piece) => {
        const begin = clock.cpuSeconds();
        bytes += piece.length;
        parser.push(piece);
        cpuSeconds += clock.cpuSeconds() - begin;
        isShort ||= bytes > maxBytes || cpuSeconds > maxCpuSeconds;
        return !isShort;
      });
      naming([command.file, ...args].join(' '), () => parser.end());
      return isShort;
    } catch (error) {
      return await this.#afterFailure(error as Error);
    } finally {
      cost.bytes += bytes;
      cost.cpuSeconds += cpuSeconds;
    }
  }

  /**
   * A xentrace that was killed or could not write leaves tracing on. Another one, which does not trace, turns it off as
   * it ends.
   */
  async #afterFailure(error: Error): Promise<never> {
    const why = explained(error);
    if (why !== error) throw why;
    const args = ['-X', '-D', '-T', String(turnOffSeconds), '/dev/null'];
    const command = this.#toolstack.command('xentrace -X', this.#programs.xentrace, args);
    await this.#host.commands.run(command).catch((failure: Error) => {
      throw new Error(`${error.message}; and tracing could not be turned off: ${failure.message}`, { cause: failure });
    });
    throw error;
  }
}

/** An incomplete list does not prove that no other program is tracing. */
const refuse = (why: string): never => {
  throw new Error(why);
};

/** Translates errors of xentrace or lsevtchn, which contain strerror(3) texts. Returns others unchanged. */
const explained = (error: Error): Error => {
  const { message } = error;
  if (/Permission denied|Operation not permitted/.test(message)) {
    return new CannotTrace(`only root can read Xen's trace buffer (${message})`, { cause: error });
  }
  if (/Function not implemented/.test(message)) {
    return new CannotTrace(`this Xen is built without a trace buffer (${message})`, { cause: error });
  }
  // Between the check and the start of xentrace.
  if (/VIRQ.*File exists/.test(message)) {
    return new AnotherTracer(`another program has started to trace, now with our event mask (${message})`, {
      cause: error,
    });
  }
  return error;
};

const explain = (error: Error): never => {
  throw explained(error);
};
