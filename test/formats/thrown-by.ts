/** What `action` throws, as `ParseError: expected ...`; fails where it throws nothing. */
export const thrownBy = (action: () => unknown): string => {
  try {
    action();
  } catch (error) {
    return String(error);
  }
  throw new Error('nothing was thrown');
};
