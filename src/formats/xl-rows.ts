import { ignore, ParseError, quote, type Skip } from './parse-error.ts';

/** A row of an xl table: the named groups of its pattern. */
export type XlRow = Record<string, string>;

/**
 * Parses the rows of a table whose first column is a name. xl prints names unescaped: they may contain spaces, digits
 * and newlines, unlike other columns. So `pattern` (with the flag s) begins with a greedy group `name` and counts the
 * other columns from the right. Their limited widths keep the search linear.
 *
 * A newline in a name produces a line that is not a row before the row itself or, if the name starts like a row, an
 * extra row. So a row directly after a line that is not a row is omitted too; both go to `skip`, except blank lines at
 * the end. Of rows equal in all of `identity` the first counts: xl sorts by domid, so a name cannot imitate Domain-0 or
 * any older domain. It can invent a missing or younger domain, unless `joinNames` knows its name. A domain with an
 * empty name costs no other domain its row.
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
 * Puts the names of these domains on one line each. A name may contain line ends and imitate rows of other domains. A
 * name is recognised with the domid that follows it, because the rows of two other domains can look like one name with
 * a line end.
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

/** glibc prints this for the missing name of a domain that is being built or torn down. */
const noName = '(null)';

/** Name in a domain's row; may be empty. */
export const domainName = (row: XlRow): string | undefined => (row['name'] === noName ? undefined : row['name']);
