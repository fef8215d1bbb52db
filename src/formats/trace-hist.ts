import { parseCounter } from './integer.ts';
import { ParseError, quote } from './parse-error.ts';

/** Counts of one hist trigger. */
export interface HistTable {
  /** Names of the keys, without modifiers such as .log2. */
  readonly keys: readonly string[];
  readonly rows: readonly HistRow[];
  /** Events that were counted. */
  readonly hits: number;
  /** Events that were not, because the table has as many rows as it may have. */
  readonly dropped: number;
}

/** Events whose keys are the same. */
export interface HistRow {
  /** In the order of the table's keys, as the kernel prints them. */
  readonly keys: readonly string[];
  readonly hits: number;
  /** Sums of the values that the trigger adds up, by name; u64. */
  readonly sums: ReadonlyMap<string, number>;
}

const info = /^# trigger info: hist:keys=([^:]+):/;
const total = /^ {4}(Hits|Entries|Dropped): (\d+)$/;
// A name of a program, which may be among the keys, can hold anything: the last "} hitcount:" is the kernel's.
const row = /^\{ (.*) \} hitcount: +(\d+)((?: +\w+: +\d+)*) *$/;

// The key `cpu`, which kernels before 5.15 know alone, is called common_cpu where later ones tell of the trigger, and cpu in its rows.
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
 * A file `hist` of tracefs (hist_show in kernel/trace/trace_events_hist.c): a table for each hist trigger of the event, in the order in which they
 * were set; rows that nothing fell into are absent. Throws ParseError.
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

/** A row of a table by powers of two, such as `~ 2^13`: the exponent. All that is in the row is at most 2 to the power of it. */
export const log2Of = (key: string): number => {
  const [, exponent] = /^~ 2\^(\d+)$/.exec(key) ?? [];
  if (exponent === undefined) throw new ParseError('a power of two such as "~ 2^13"', quote(key));
  return Number(exponent);
};
