const replacement = '\ufffd';

/**
 * Text that does nothing where it is shown or pasted: each control character, with which escape sequences of terminals begin, each character that is
 * invisible or turns the direction of others, each line separator and each half of a surrogate pair becomes U+FFFD. A name that a guest, a user or a
 * container chose may have any of them.
 */
export const printable = (text: string): string =>
  text.toWellFormed().replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Default_Ignorable_Code_Point}\u2800]/gu, replacement);
