import { ParseError, quote, refuse } from './parse-error.ts';

/** A row of /proc/interrupts for Xen's event channels, or for their upcalls. */
export interface InterruptRow {
  /** The interrupt's number, or `HYP` for the upcalls of an HVM or PVH guest. */
  readonly label: string;
  /** CPU numbers of the columns: those online. */
  readonly cpus: readonly number[];
  /** Unsigned 32-bit counters by column. The array is reused for the next row. */
  readonly counts: Uint32Array;
  /** Type of the event channel: `event`, `virq`, `ipi`, or a physical interrupt's kind. Empty for `HYP`. */
  readonly kind: string;
  /** The driver's name for it, such as `vif0-q1-rx`. Empty for `HYP`. */
  readonly action: string;
}

const NEWLINE = 0x0a;
const SPACE = 0x20;
const COLON = 0x3a;
const ZERO = 0x30;

// Kernels before 4.x print chip and kind without a space; for physical interrupts their number is there.
const xenTail = /^\s*xen-(?:percpu|pirq|dyn(?:-lateeoi)?)\s*(?:\d+\s*)?(?:Edge|Level)?\s*-(\S+)\s+(\S.*)$/;

// Nearly all counts are 0, in cells of the same width (a space and "%10u"), so one comparison skips a run of them.
const cellsPerRun = 16;
const zeroRun = Buffer.from('          0'.repeat(cellsPerRun));

const latin1 = (bytes: Uint8Array, start: number, end: number): string =>
  Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('latin1', Math.max(0, start), end);

const skipSpaces = (bytes: Uint8Array, from: number, end: number): number => {
  let at = from;
  while (at < end && bytes[at] === SPACE) at += 1;
  return at;
};

const parseHeader = (header: string): number[] => {
  const cpus = header.trim().split(/\s+/);
  if (!cpus.every((cpu) => /^CPU\d{1,6}$/.test(cpu)))
    throw new ParseError('a header of CPUs ("CPU0 CPU1 ...")', quote(header));
  return cpus.map((cpu) => Number(cpu.slice('CPU'.length)));
};

/**
 * Parses /proc/interrupts (show_interrupts in kernel/irq/proc.c, arch/x86/kernel/irq.c) and passes each Xen row to
 * `visit`. With hundreds of CPUs and thousands of rows the file has megabytes, so numbers are read from bytes without a
 * string per cell. Broken rows go to `skip`. Throws ParseError.
 */
export const parseInterrupts = (bytes: Uint8Array, visit: (row: InterruptRow) => void, skip = refuse): void => {
  const headerEnd = bytes.indexOf(NEWLINE);
  const cpus = parseHeader(latin1(bytes, 0, headerEnd < 0 ? Math.min(bytes.length, 100) : headerEnd));
  if (bytes[bytes.length - 1] !== NEWLINE) {
    throw new ParseError('a line end at the end of the file', quote(latin1(bytes, bytes.length - 40, bytes.length)));
  }
  const counts = new Uint32Array(cpus.length);

  for (let start = headerEnd + 1, end; start < bytes.length; start = end + 1) {
    end = bytes.indexOf(NEWLINE, start);
    const colon = bytes.indexOf(COLON, start);
    // A blank line is not a row: some copies of the file end with one.
    if (skipSpaces(bytes, start, end) === end) continue;
    if (colon < 0 || colon > end) {
      skip(new ParseError('a row that begins with "NAME:"', quote(latin1(bytes, start, end))));
      continue;
    }

    let at = colon + 1;
    let cpu = 0;
    while (cpu < cpus.length) {
      const runEnd = at + zeroRun.length;
      if (cpu + cellsPerRun <= cpus.length && runEnd <= end && zeroRun.compare(bytes, at, runEnd) === 0) {
        counts.fill(0, cpu, cpu + cellsPerRun);
        cpu += cellsPerRun;
        at = runEnd;
        continue;
      }
      const first = skipSpaces(bytes, at, end);
      let count = 0;
      let digit = bytes[first]! - ZERO;
      for (at = first; digit >= 0 && digit <= 9; digit = bytes[at]! - ZERO) {
        count = count * 10 + digit;
        at += 1;
      }
      if (at === first) break;
      counts[cpu] = count;
      cpu += 1;
    }
    // Rows such as ERR have a single count for all CPUs.
    if (cpu < cpus.length) {
      const rest = latin1(bytes, at, end);
      if (/\bxen-/.test(rest)) skip(new ParseError(`${cpus.length} counts, one for each CPU`, quote(rest)));
      continue;
    }

    const label = latin1(bytes, skipSpaces(bytes, start, colon), colon);
    if (label === 'HYP') {
      visit({ label, cpus, counts, kind: '', action: '' });
      continue;
    }
    // In a copy the line may end with a carriage return.
    const [, kind, action] = xenTail.exec(latin1(bytes, at, end).trimEnd()) ?? [];
    if (kind !== undefined && action !== undefined) visit({ label, cpus, counts, kind, action });
  }
};
