import { ofRecords } from './promql.ts';

// Templates of Prometheus, for annotations. Their text stands on one line.

/** A query of a template. Its arguments fill in the verbs of printf: `%q` a text in quotes, `%f` a number. Any other `%` is written `%%`. */
export const query = (expr: string, ...args: readonly string[]): string => {
  const text = JSON.stringify(ofRecords(expr.replaceAll(/\s+/g, ' ')));
  return args.length === 0 ? `query ${text}` : `query (printf ${text} ${args.join(' ')})`;
};

/** The queries of a template, with a value in place of each verb of printf. */
export const queriesIn = (template: string): string[] =>
  [...template.matchAll(/\bquery (\(printf )?("(?:[^"\\]|\\.)*")/g)].map(([, isFormat, text]) => {
    const expr = JSON.parse(text!) as string;
    return isFormat === undefined
      ? expr
      : expr.replaceAll(/%(.)/g, (_, verb: string) => (verb === 'q' ? '""' : verb === 'f' ? '1' : verb));
  });

/** A body for each result of a query, in which the dot is the result. `otherwise`: if there is none. */
export const each = (pipeline: string, body: string, otherwise = ''): string =>
  `{{ range ${pipeline} }}${body}${otherwise === '' ? '' : `{{ else }}${otherwise}`}{{ end }}`;

/** The value of a result, by a format of printf. */
export const value = (format: string): string => `{{ printf ${JSON.stringify(format)} .Value }}`;

/** One of several bodies: the first whose condition holds. */
export const firstOf = (branches: readonly { condition: string; body: string }[]): string =>
  branches.length === 0
    ? ''
    : `${branches.map(({ condition, body }, index) => `{{ ${index === 0 ? '' : 'else '}if ${condition} }}${body}`).join('')}{{ end }}`;
