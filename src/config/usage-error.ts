/** Flags or a config file that cannot be used; the message has a line for each thing that is wrong. Ends the start with exit status 2. */
export class UsageError extends Error {
  override readonly name = 'UsageError';
}
