import type * as v from 'valibot';
import type { ConfigFile } from './config-file.ts';
import { nearest } from './nearest.ts';

/** Shortens a value for a message. */
export const shorten = (value: unknown): string => {
  const text = JSON.stringify(value) ?? String(value);
  return text.length > 60 ? `${text.slice(0, 60)}...` : text;
};

export type KeyPath = readonly (string | number)[];

/** Describes a problem at one place of a file, with the line. */
export const describeAt = (file: ConfigFile, path: KeyPath, what: string): string =>
  `${file.name}:${file.lineOf(path)}: ${path.join('.') || 'the file'}: ${what}`;

/** The parts of a schema that describe its keys: an object has entries, and optional values are wrapped. */
interface SchemaNode {
  readonly entries?: Readonly<Record<string, SchemaNode>>;
  readonly wrapped?: SchemaNode;
}

/** Keys that the mapping at `path` may have; none if there is no mapping. */
const keysAt = (schema: SchemaNode, path: KeyPath): string[] => {
  let node: SchemaNode | undefined = schema;
  const unwrap = (): void => {
    while (node?.wrapped) node = node.wrapped;
  };
  unwrap();
  for (const key of path) {
    node = node?.entries?.[key];
    unwrap();
  }
  return Object.keys(node?.entries ?? {});
};

/** `{a: {b: ...}}` without the outer braces. */
const flow = (keys: readonly string[]): string =>
  keys.reduceRight((inner, key) => `{${key}: ${inner}}`, '...').slice(1, -1);

/** Shows how to write a dotted key, such as a flag's name. */
export const levelsHint = (keys: readonly string[]): string => `; each dot is a level in this file: ${flow(keys)}`;

/** Shows how to write a setting that has a value where its keys belong. */
export const formHint = (keys: readonly string[]): string => `; write ${flow(keys)}`;

/** Hint for an unknown dotted key whose parts are keys; empty for any other. */
export const dottedKeyHint = (schema: v.GenericSchema, issue: v.BaseIssue<unknown>): string => {
  const path = issue.path?.map(({ key }) => String(key)) ?? [];
  const parts = path.flatMap((key) => key.split('.'));
  const isKnown =
    parts.length > path.length && keysAt(schema as SchemaNode, parts.slice(0, -1)).includes(parts.at(-1)!);
  return issue.expected === 'never' && isKnown ? levelsHint(parts) : '';
};

const describeUnknownKey = (schema: SchemaNode, path: KeyPath): string => {
  const meant = nearest(String(path.at(-1)), keysAt(schema, path.slice(0, -1)));
  return meant === undefined ? 'unknown key' : `unknown key, perhaps ${meant}`;
};

/** Describes one schema issue. Omits secret values. With `schema` it suggests the intended key. */
export const describeIssue = (
  file: ConfigFile,
  issue: v.BaseIssue<unknown>,
  { schema, isSecret = () => false }: { schema?: v.GenericSchema; isSecret?: (path: KeyPath) => boolean } = {},
): string => {
  const pathOf = (items: readonly v.IssuePathItem[]): KeyPath => items.map(({ key }) => key as string | number);
  const items = issue.path ?? [];
  // The library treats a list as an object with the keys 0, 1, ...
  const list = items.findIndex(({ type, input }) => type === 'object' && Array.isArray(input));
  if (list >= 0) {
    return describeAt(file, pathOf(items.slice(0, list)), `expected a mapping, found ${shorten(items[list]!.input)}`);
  }
  const path = pathOf(items);
  if (issue.expected === 'never') return describeAt(file, path, describeUnknownKey((schema ?? {}) as SchemaNode, path));
  const expected = issue.type === 'strict_object' || issue.type === 'record' ? 'a mapping' : issue.message;
  return describeAt(file, path, `expected ${expected}${isSecret(path) ? '' : `, found ${shorten(issue.input)}`}`);
};
