import { ofRecords } from './promql.ts';

// Prometheus templates for annotations. Each is one line of text.

/** A template query. Arguments fill the printf verbs: `%q` quoted text, `%f` a number. Write any other `%` as `%%`. */
export const query = (expr: string, ...args: readonly string[]): string => {
  const text = JSON.stringify(ofRecords(expr.replaceAll(/\s+/g, ' ')));
  return args.length === 0 ? `query ${text}` : `query (printf ${text} ${args.join(' ')})`;
};

/** The queries of a template, with a value for each printf verb. */
export const queriesIn = (template: string): string[] =>
  [...template.matchAll(/\bquery (\(printf )?("(?:[^"\\]|\\.)*")/g)].map(([, isFormat, text]) => {
    const expr = JSON.parse(text!) as string;
    return isFormat === undefined
      ? expr
      : expr.replaceAll(/%(.)/g, (_, verb: string) => (verb === 'q' ? '""' : verb === 'f' ? '1' : verb));
  });

/** Repeats a body for each result of a query; the dot is the result. `otherwise` is used if there is none. */
export const each = (pipeline: string, body: string, otherwise = ''): string =>
  `{{ range ${pipeline} }}${body}${otherwise === '' ? '' : `{{ else }}${otherwise}`}{{ end }}`;

/** The value of a result in a printf format. */
export const value = (format: string): string => `{{ printf ${JSON.stringify(format)} .Value }}`;

/** The first of several bodies whose condition holds. */
export const firstOf = (branches: readonly { condition: string; body: string }[]): string =>
  branches.length === 0
    ? ''
    : `${branches.map(({ condition, body }, index) => `{{ ${index === 0 ? '' : 'else '}if ${condition} }}${body}`).join('')}{{ end }}`;
