import { placeholdersIn, substituted, type RunbookCommand } from '../../tools/docs/runbook-commands.ts';

/** Consecutive commands on one machine. */
export interface Run {
  machine: RunbookCommand['machine'];
  commands: string[];
}

export const runsOf = (commands: readonly RunbookCommand[]): Run[] => {
  const runs: Run[] = [];
  for (const { machine, command } of commands) {
    const last = runs.at(-1);
    if (last?.machine === machine) last.commands.push(command);
    else runs.push({ machine, commands: [command] });
  }
  return runs;
};

/** A script that types commands into one shell, one after the other, until one of them fails. */
export const scriptOf = (commands: readonly string[]): string =>
  commands.map((command) => `{\n${command}\n} || { echo "failed with status $?" >&2; exit 1; }`).join('\n');

/** Fills in placeholders. Each value is determined when the first command that needs it is reached. */
export const withValues = async (
  commands: readonly string[],
  valueOf: (name: string) => Promise<string | undefined>,
): Promise<string[]> => {
  const values: Record<string, string | undefined> = {};
  for (const name of commands.flatMap(placeholdersIn)) values[name] ??= await valueOf(name);
  return commands.map((command) => substituted(command, values));
};
