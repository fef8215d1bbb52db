// A file's key may be as long as the file.
const mostCharacters = 8192;

/** Unusable flags or config file. The message has one line per problem. Ends the start with exit status 2. */
export class UsageError extends Error {
  override readonly name = 'UsageError';

  constructor(message: string, options?: ErrorOptions) {
    super(message.length > mostCharacters ? `${message.slice(0, mostCharacters)}...` : message, options);
  }
}

const mostLines = 10;

/**
 * One error for all faults of a file, at most ten lines long. Further faults are only counted: a broken file of
 * thousands of lines must neither fill the log nor keep a running exporter busy.
 */
export const usageErrorOf = <Fault>(faults: readonly Fault[], describe: (fault: Fault) => string): UsageError => {
  const shown = faults.length > mostLines ? faults.slice(0, mostLines - 1) : faults;
  const lines = shown.map((fault) => describe(fault));
  if (shown.length < faults.length) lines.push(`and ${faults.length - shown.length} more errors`);
  return new UsageError(lines.join('\n'));
};
