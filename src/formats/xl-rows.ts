import { ignore, ParseError, quote, type Skip } from './parse-error.ts';

/** One row of a table of xl: the named groups of its pattern. */
export type XlRow = Record<string, string>;

/**
 * The rows of a table whose first column is a name, which xl prints as it is: it may hold spaces, digits and newlines, and is the only
 * column that can. `pattern` (with the flag s) therefore begins with a greedy group `name` and counts the other columns from the right;
 * their widths have limits, which keeps the search linear.
 *
 * A newline in a name leaves a line that is no row before the row itself, or, if the name's beginning looks like a row, a row more. Left out is hence a
 * row directly behind a line that is none; both go to `skip`, but not blank lines at the end. Of rows alike in all of `identity` the first counts: xl goes
 * by domid, so that a name cannot speak for Domain-0, or any domain older than its own. It can make up one that is not there, or a younger one, unless
 * `joinNames` knows its name. A domain may have an empty name: it costs no other domain its row.
 */
export const xlRows = (
  lines: readonly string[],
  pattern: RegExp,
  identity: readonly string[],
  skip: Skip = ignore,
): XlRow[] => {
  const end = lines.findLastIndex((line) => line.trim() !== '') + 1;
  const rows = lines.slice(0, end).map((line): XlRow | undefined => {
    const row = pattern.exec(line)?.groups;
    return row && { ...row, name: row['name']!.trimEnd() };
  });
  const first = new Map<string, XlRow>();
  rows.forEach((row, index) => {
    const isBehindNone = index > 0 && rows[index - 1] === undefined;
    if (row === undefined || isBehindNone) {
      return skip(new ParseError('a row, whose name has no newline', quote(lines[index]!, 'an empty line')));
    }
    const key = identity.map((group) => row[group]).join(' ');
    if (!first.has(key)) first.set(key, row);
  });
  return [...first.values()];
};

/**
 * Output of xl in which the name of each of these domains is in one line: a name may have line ends, and pass for rows of others. It is known by its domid,
 * which follows it, because the rows of two others can look like a name with a line end.
 */
export const joinNames = (
  output: string,
  domains: readonly { readonly domid: number; readonly name: string | undefined }[],
): string =>
  domains.reduce((text, { domid, name }) => {
    if (!name?.includes('\n')) return text;
    const [head, ...others] = text.split(`\n${name}`);
    const isOwn = new RegExp(`^ *${domid} `);
    const joined = name.replaceAll('\n', '\ufffd');
    return others.reduce((before, rest) => `${before}\n${isOwn.test(rest) ? joined : name}${rest}`, head!);
  }, output);

/** The text that glibc prints for the missing name of a domain that is being built or torn down. */
const noName = '(null)';

/** The name in a row of a domain; it may be empty. */
export const domainName = (row: XlRow): string | undefined => (row['name'] === noName ? undefined : row['name']);
