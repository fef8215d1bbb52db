const shownCharacters = 60;

/** Malformed text or bytes. The message states what was expected and what was found. */
export class ParseError extends Error {
  override readonly name = 'ParseError';

  /** Both are phrases for people: `a line "cpu ..."`, `an empty file`. Found text must go through `quote`. */
  constructor(expected: string, found: string) {
    super(`expected ${expected}, found ${found}`);
  }
}

/** Quotes `text` for an error message: at most 60 characters, control characters escaped; `empty` if there is none. */
export const quote = (text: string, empty = 'an empty file'): string => {
  if (text === '') return empty;
  const shown = text.length > shownCharacters ? `${text.slice(0, shownCharacters - 1)}…` : text;
  // JSON does not escape DEL, the C1 controls and the two Unicode line separators, which terminals and logs interpret.
  return JSON.stringify(shown).replace(/[\u007f-\u009f\u2028\u2029]/g, (character) => {
    return `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`;
  });
};

/** Receives the error of a skipped row or value. */
export type Skip = (error: ParseError) => void;

/** Skips nothing. */
export const refuse: Skip = (error) => {
  throw error;
};

/** Skips silently, for callers that do not report. */
export const ignore: Skip = () => {};

/** Returns the result of `read`. Undefined if it throws a ParseError, which goes to `skip`. */
export const orSkip = <Reading>(skip: Skip, read: () => Reading): Reading | undefined => {
  try {
    return read();
  } catch (error) {
    if (!(error instanceof ParseError)) throw error;
    skip(error);
    return undefined;
  }
};

/** Readings of the valid rows. Errors of the others go to `skip`. */
export const readRows = <Row, Reading>(rows: readonly Row[], read: (row: Row) => Reading, skip: Skip): Reading[] =>
  rows.flatMap((row) => orSkip(skip, () => [read(row)]) ?? []);
