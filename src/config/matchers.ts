import { isRe2 } from './re2.ts';

const matcher = /\s*[a-zA-Z_]\w*\s*(=~|!~|!=|=)\s*"((?:[^"\\\n]|\\[\\"nt])*)"\s*/y;

/**
 * Returns whether a text is valid inside the braces of a Prometheus selector: one or more matchers, such as
 * `xen_role="host"`, separated by commas.
 */
export const isMatchers = (text: string): boolean => {
  let at = 0;
  for (;;) {
    matcher.lastIndex = at;
    const [whole, operator = '', value = ''] = matcher.exec(text) ?? [];
    if (whole === undefined) return false;
    if (operator.endsWith('~') && !isRe2(JSON.parse(`"${value.replaceAll('\t', '\\t')}"`) as string)) return false;
    at += whole.length;
    if (at === text.length) return true;
    if (text[at] !== ',') return false;
    at += 1;
  }
};
