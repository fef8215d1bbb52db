/** The error of `action` as `ParseError: expected ...`. Fails if it throws nothing. */
export const thrownBy = (action: () => unknown): string => {
  try {
    action();
  } catch (error) {
    return String(error);
  }
  throw new Error('nothing was thrown');
};
