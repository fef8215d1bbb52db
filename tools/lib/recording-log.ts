import type { Log } from '../../src/host/log.ts';

/** A log that records its messages for assertions. */
export const recordingLog = (): Log & { readonly lines: string[] } => {
  const lines: string[] = [];
  const at =
    (level: string) =>
    (message: string, fields: Readonly<Record<string, unknown>> = {}): void => {
      lines.push([level, message, ...Object.values(fields)].join(' | '));
    };
  return { lines, debug: at('debug'), info: at('info'), warn: at('warn'), error: at('error') };
};
