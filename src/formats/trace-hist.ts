import { parseCounter } from './integer.ts';
import { ParseError, quote } from './parse-error.ts';

/** Counts of one hist trigger. */
export interface HistTable {
  /** Names of the keys, without modifiers such as .log2. */
  readonly keys: readonly string[];
  readonly rows: readonly HistRow[];
  /** Counted events. */
  readonly hits: number;
  /** Events not counted because the table was full. */
  readonly dropped: number;
}

/** Events with the same keys. */
export interface HistRow {
  /** Keys in the table's order, as the kernel prints them. */
  readonly keys: readonly string[];
  readonly hits: number;
  /** Sums of the trigger's values by name; u64. */
  readonly sums: ReadonlyMap<string, number>;
}

const info = /^# trigger info: hist:keys=([^:]+):/;
const total = /^ {4}(Hits|Entries|Dropped): (\d+)$/;
// A program name among the keys may contain anything, so the last "} hitcount:" is the kernel's.
const row = /^\{ (.*) \} hitcount: +(\d+)((?: +\w+: +\d+)*) *$/;

// Key `cpu`, the only spelling before Linux 5.15: later kernels print common_cpu in the trigger and cpu in the rows.
const nameInRows = (key: string): string => (key === 'common_cpu' ? '(?:common_)?cpu' : key);

const parseRow = (line: string, keys: readonly string[], keyTexts: RegExp): HistRow => {
  const [, keyText, hits, sums = ''] = row.exec(line) ?? [];
  const texts = keyText === undefined ? null : keyTexts.exec(keyText);
  if (texts === null) throw new ParseError(`a row "{ ${keys[0]}: ... } hitcount: N"`, quote(line));
  return {
    keys: texts.slice(1).map((text) => text.trim()),
    hits: parseCounter(hits!, 'hitcount'),
    sums: new Map([...sums.matchAll(/(\w+): +(\d+)/g)].map(([, name, sum]) => [name!, parseCounter(sum!, name!)])),
  };
};

/**
 * Parses a tracefs file `hist` (hist_show in kernel/trace/trace_events_hist.c): a table per hist trigger of the event,
 * in the order of their creation. Empty rows are absent. Throws ParseError.
 */
export const parseTraceHist = (text: string): HistTable[] => {
  const tables: HistTable[] = [];
  let keys: string[] = [];
  let keyTexts: RegExp | undefined;
  let rows: HistRow[] = [];
  const totals = new Map<string, number>();
  for (const line of text.split('\n')) {
    const [, keysText] = info.exec(line) ?? [];
    const [, name, count] = total.exec(line) ?? [];
    if (keysText !== undefined) {
      keys = keysText.split(',').map((key) => key.replace(/\..*/, ''));
      keyTexts = new RegExp(`^${keys.map((key) => `${nameInRows(key)}: (.*)`).join(', ')}$`);
      rows = [];
    } else if (name !== undefined) {
      totals.set(name, parseCounter(count!, name));
      if (name !== 'Dropped') continue;
      tables.push({ keys, rows, hits: totals.get('Hits') ?? 0, dropped: totals.get(name)! });
      keyTexts = undefined;
    } else if (line.startsWith('{')) {
      if (!keyTexts) throw new ParseError('a line "# trigger info: hist:keys=..."', quote(line));
      rows.push(parseRow(line, keys, keyTexts));
    } else if (line !== '' && !line.startsWith('#') && line !== 'Totals:') {
      throw new ParseError('a row, a comment or totals', quote(line));
    }
  }
  if (tables.length === 0 || keyTexts) {
    throw new ParseError('the totals of a hist trigger', quote(text.trimEnd().split('\n').at(-1)!));
  }
  return tables;
};

/** Exponent of a row by powers of two, such as `~ 2^13`. All values in the row are at most 2 to this power. */
export const log2Of = (key: string): number => {
  const [, exponent] = /^~ 2\^(\d+)$/.exec(key) ?? [];
  if (exponent === undefined) throw new ParseError('a power of two such as "~ 2^13"', quote(key));
  return Number(exponent);
};
