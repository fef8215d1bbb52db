import { parseCounter } from './integer.ts';
import { ParseError, quote } from './parse-error.ts';
import { outputLines } from './output-lines.ts';

/**
 * Xen's virtual IRQ for a filling trace buffer (VIRQ_TBUF in xen/include/public/xen.h). The tracing program has bound
 * it.
 */
export const traceBufferVirq = 4;

/**
 * Virtual IRQs in the output of `lsevtchn DOMID` (tools/xcutils/lsevtchn.c): one line per event channel. Throws
 * ParseError.
 */
export const parseVirqs = (text: string): number[] =>
  outputLines(text).flatMap((line) => {
    const [, what, virq] = /^ *\d+: VCPU \d+: (Virtual IRQ (\d+)|.*)$/.exec(line) ?? [];
    if (what === undefined) throw new ParseError('a line "PORT: VCPU N: ..."', quote(line, 'an empty line'));
    return virq === undefined ? [] : [parseCounter(virq, 'Virtual IRQ')];
  });
