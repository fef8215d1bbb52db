const shownCharacters = 60;

/** Text or bytes that are not of the format they should be of; the message says what was expected and what was found instead. */
export class ParseError extends Error {
  override readonly name = 'ParseError';

  /** Both are phrases for the reader: `a line "cpu ..."`, `an empty file`. Text that was found goes through `quote`. */
  constructor(expected: string, found: string) {
    super(`expected ${expected}, found ${found}`);
  }
}

/** `text` for an error message: at most 60 characters of it, in quotes, control characters escaped; `empty` where there is none. */
export const quote = (text: string, empty = 'an empty file'): string => {
  if (text === '') return empty;
  const shown = text.length > shownCharacters ? `${text.slice(0, shownCharacters - 1)}…` : text;
  // JSON leaves DEL, the C1 controls and the two Unicode line separators as they are; a terminal or a log would act on them.
  return JSON.stringify(shown).replace(/[\u007f-\u009f\u2028\u2029]/g, (character) => {
    return `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`;
  });
};

/** Takes the error of a row or a value that is left out. */
export type Skip = (error: ParseError) => void;

/** Leaves nothing out. */
export const refuse: Skip = (error) => {
  throw error;
};

/** Leaves out and says nothing: for a reader who is not to know. */
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

/** The readings of the rows that can be read; the errors of the others go to `skip`. */
export const readRows = <Row, Reading>(rows: readonly Row[], read: (row: Row) => Reading, skip: Skip): Reading[] =>
  rows.flatMap((row) => orSkip(skip, () => [read(row)]) ?? []);
