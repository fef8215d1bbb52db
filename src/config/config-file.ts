import { readFileSync } from 'node:fs';
import { constructFromEvents, EVENT_ID, getScalarValue, parseEvents, YAMLException, type Event } from 'js-yaml';
import { UsageError } from './usage-error.ts';

/** A YAML file's content and the position of each part. */
export interface ConfigFile {
  readonly name: string;
  readonly content: unknown;
  /** Line (from 1) of the key or list item at `path`, or of its nearest existing parent. */
  lineOf(path: readonly (string | number)[]): number;
}

const pathKey = (path: readonly (string | number)[]): string => JSON.stringify(path.map(String));

// The parser's events are flat: start of a collection, its content, a POP. `open` is the stack of open collections.
const offsetsOf = (source: string, events: readonly Event[]): Map<string, number> => {
  const offsets = new Map<string, number>();
  const open: { kind: 'mapping' | 'sequence' | 'document'; key?: string; index: number }[] = [];
  const pathOf = (): (string | number)[] =>
    open
      .filter(({ kind }) => kind !== 'document')
      .map(({ kind, key = '', index }) => (kind === 'mapping' ? key : index));
  const endNode = (): void => {
    const parent = open.at(-1);
    if (parent?.kind === 'mapping') delete parent.key;
    if (parent?.kind === 'sequence') parent.index += 1;
  };

  for (const event of events) {
    const parent = open.at(-1);
    if (event.type === EVENT_ID.POP) {
      open.pop();
      endNode();
      continue;
    }
    if (event.type === EVENT_ID.SCALAR && parent?.kind === 'mapping' && parent.key === undefined) {
      parent.key = getScalarValue(source, event);
      offsets.set(pathKey(pathOf()), event.valueStart);
      continue;
    }
    if (parent?.kind === 'sequence') {
      const offset = 'start' in event ? event.start : 'valueStart' in event ? event.valueStart : undefined;
      if (offset !== undefined) offsets.set(pathKey(pathOf()), offset);
    }
    if (event.type === EVENT_ID.MAPPING) open.push({ kind: 'mapping', index: 0 });
    else if (event.type === EVENT_ID.SEQUENCE) open.push({ kind: 'sequence', index: 0 });
    else if (event.type === EVENT_ID.DOCUMENT) open.push({ kind: 'document', index: 0 });
    else endNode();
  }
  return offsets;
};

const lineAt = (source: string, offset: number): number => source.slice(0, offset).split('\n').length;

/** Parses a config file. Throws UsageError with the line for invalid YAML, duplicate keys and multiple documents. */
export const parseConfigFile = (name: string, source: string): ConfigFile => {
  try {
    const events = parseEvents(source, { filename: name });
    const documents = constructFromEvents(events, { source, filename: name, maxAliases: 0 });
    if (documents.length > 1) throw new UsageError(`${name}: expected one YAML document, found ${documents.length}`);
    const offsets = offsetsOf(source, events);
    return {
      name,
      content: documents[0] ?? {},
      lineOf: (path) => {
        for (let length = path.length; length > 0; length -= 1) {
          const offset = offsets.get(pathKey(path.slice(0, length)));
          if (offset !== undefined) return lineAt(source, offset);
        }
        return 1;
      },
    };
  } catch (error) {
    if (!(error instanceof YAMLException)) throw error;
    const line = (error.mark?.line ?? 0) + 1;
    const reason = error.reason.startsWith('aliases exceeded') ? 'expected no alias, found one (*name)' : error.reason;
    throw new UsageError(`${name}:${line}: ${reason}`, { cause: error });
  }
};

/** Reads a file that the user names. `flag`: how, without the dashes. Throws UsageError if it cannot be read. */
export const readFileOf = (flag: string, path: string): string => {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    throw new UsageError(`--${flag}: ${(error as Error).message}`, { cause: error });
  }
};

/** Reads the config file of a flag. Throws UsageError, also if the file cannot be read. */
export const readConfigFile = (flag: string, path: string): ConfigFile => parseConfigFile(path, readFileOf(flag, path));
