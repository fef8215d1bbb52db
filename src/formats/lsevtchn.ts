import { parseCounter } from './integer.ts';
import { ParseError, quote } from './parse-error.ts';
import { outputLines } from './output-lines.ts';

/** The virtual IRQ by which Xen tells that a trace buffer fills up (VIRQ_TBUF in xen/include/public/xen.h): whoever traces has bound it. */
export const traceBufferVirq = 4;

/** The virtual IRQs in what `lsevtchn DOMID` prints (tools/xcutils/lsevtchn.c): a line for each event channel. Throws ParseError. */
export const parseVirqs = (text: string): number[] =>
  outputLines(text).flatMap((line) => {
    const [, what, virq] = /^ *\d+: VCPU \d+: (Virtual IRQ (\d+)|.*)$/.exec(line) ?? [];
    if (what === undefined) throw new ParseError('a line "PORT: VCPU N: ..."', quote(line, 'an empty line'));
    return virq === undefined ? [] : [parseCounter(virq, 'Virtual IRQ')];
  });
