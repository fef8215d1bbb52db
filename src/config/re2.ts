/** The greatest count of a repetition in RE2. */
const maxRepeat = 1000;

const punctuation = String.raw`[\x00-\x2f\x3a-\x40\x5b-\x60\x7b-\x7f]`;
/** An escape without its backslash that represents one character or a class. */
const characters = String.raw`[afnrtvdDsSwW]|0[0-7]{0,2}|[1-7][0-7]{1,2}|x[\da-fA-F]{2}|x\{[\da-fA-F]+\}|[pP](?:[A-Z]|\{\^?\w+\})|${punctuation}`;
const escapeInClass = new RegExp(String.raw`\\(?:${characters})`, 'y');
const escape = new RegExp(String.raw`\\(?:${characters}|[bBAz])`, 'y');
const quoted = /\\Q[^]*?\\E/y;
const groupStart = /\((?:\?(?:P?<\w+>|[imsU]*(?:-[imsU]+)?:))?(?!\?)/y;
const flags = /\(\?[imsU]*(?:-[imsU]+)?\)/y;
const repetition = /(?:[*+?]|\{(\d+)(?:,(\d*))?\})\??/y;
const classStart = /\[\^?\]?/y;
const namedClass = /\[:\^?(?:alnum|alpha|ascii|blank|cntrl|digit|graph|lower|print|punct|space|upper|word|xdigit):\]/y;

/** Returns whether a Unicode class has a known name. */
const isUnicodeClass = (escaped: string): boolean => {
  const [, name] = /^\\[pP]\{?\^?(\w+)\}?$/.exec(escaped) ?? [];
  if (name === undefined || name === 'Any') return true;
  return [`General_Category=${name}`, `Script=${name}`].some((property) => {
    try {
      return new RegExp(`\\p{${property}}`, 'u') instanceof RegExp;
    } catch {
      return false;
    }
  });
};

/** Code of one item of a class; undefined for a nested class, which cannot start or end a range. */
const codeOf = (item: string): number | undefined => {
  if (!item.startsWith('\\')) return item.codePointAt(0);
  const control = 'afnrtv'.indexOf(item[1]!);
  if (control >= 0) return [7, 12, 10, 13, 9, 11][control];
  if (/^\\[dDsSwWpP]/.test(item)) return undefined;
  const [, hexadecimal] = /^\\x\{?([\da-fA-F]+)/.exec(item) ?? [];
  if (hexadecimal !== undefined) return parseInt(hexadecimal, 16);
  return /^\\\d/.test(item) ? parseInt(item.slice(1), 8) : item.codePointAt(1);
};

/**
 * Returns whether Prometheus accepts a regular expression. It uses RE2's syntax as in Go: no lookaround and no
 * backreferences, unlike JavaScript, but flags such as `(?i)`, which JavaScript lacks.
 */
export const isRe2 = (source: string): boolean => {
  let at = 0;
  let depth = 0;
  /** Whether the preceding item can be repeated. */
  let isRepeatable = false;
  const take = (pattern: RegExp): RegExpExecArray | undefined => {
    pattern.lastIndex = at;
    const match = pattern.exec(source) ?? undefined;
    at += match?.[0].length ?? 0;
    return match;
  };
  const takeEscape = (pattern: RegExp): string | undefined => {
    const escaped = take(pattern)?.[0];
    if (escaped === undefined || !isUnicodeClass(escaped)) return undefined;
    return /^\\x/.test(escaped) && codeOf(escaped)! > 0x10_ffff ? undefined : escaped;
  };
  const takeCharacter = (): string => {
    const character = String.fromCodePoint(source.codePointAt(at)!);
    at += character.length;
    return character;
  };
  const takeItem = (): string | undefined => (source[at] === '\\' ? takeEscape(escapeInClass) : takeCharacter());
  const takeClass = (): boolean => {
    // A leading bracket is a character of the class.
    if (take(classStart)![0].endsWith(']')) at -= 1;
    for (let isFirst = true; at < source.length; isFirst = false) {
      if (source[at] === ']' && !isFirst) {
        at += 1;
        return true;
      }
      if (source.startsWith('[:', at) && source.includes(':]', at + 2)) {
        if (!take(namedClass)) return false;
        continue;
      }
      const low = takeItem();
      if (low === undefined) return false;
      if (source[at] !== '-' || source[at + 1] === ']' || at + 1 >= source.length || codeOf(low) === undefined)
        continue;
      at += 1;
      const high = takeItem();
      if (high === undefined || !(codeOf(low)! <= (codeOf(high) ?? -1))) return false;
    }
    return false;
  };

  while (at < source.length) {
    const repeated = take(repetition);
    if (repeated) {
      const [, least = 0, most = ''] = repeated;
      const isInRange = Number(least) <= maxRepeat && (most === '' || Number(most) <= maxRepeat);
      if (!isRepeatable || !isInRange || (most !== '' && Number(least) > Number(most))) return false;
      isRepeatable = false;
    } else if (take(flags)) {
      // Groups and flags do not change what can be repeated.
    } else if (source[at] === '(') {
      if (!take(groupStart)) return false;
      depth += 1;
      isRepeatable = false;
    } else if (source[at] === ')') {
      at += 1;
      depth -= 1;
      if (depth < 0) return false;
      isRepeatable = true;
    } else if (source[at] === '|') {
      at += 1;
      isRepeatable = false;
    } else {
      if (source[at] === '[') {
        if (!takeClass()) return false;
      } else if (source[at] === '\\') {
        if (!take(quoted) && takeEscape(escape) === undefined) return false;
      } else takeCharacter();
      isRepeatable = true;
    }
  }
  return depth === 0;
};
