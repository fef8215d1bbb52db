const replacement = '\ufffd';

/**
 * Makes text safe to show or paste. Replaces each control character (terminal escape sequences start with one), each
 * invisible or direction-changing character, each line separator and each unpaired surrogate by U+FFFD. Names chosen by
 * guests, users or containers may contain any of them.
 */
export const printable = (text: string): string =>
  text.toWellFormed().replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Default_Ignorable_Code_Point}\u2800]/gu, replacement);
