/** Severities in ascending order. */
export const logLevels = ['debug', 'info', 'warn', 'error'] as const;
export type LogLevel = (typeof logLevels)[number];

export const logFormats = ['logfmt', 'json'] as const;
export type LogFormat = (typeof logFormats)[number];

export type LogFields = Readonly<Record<string, string | number | boolean>>;

/** One method per level. The message is a sentence, the fields are its values. */
export type Log = Readonly<Record<LogLevel, (message: string, fields?: LogFields) => void>>;

// JSON does not escape DEL and non-ASCII control characters, which terminals interpret.
const quoted = (value: unknown): string =>
  JSON.stringify(value).replace(/[\x7f-\x9f]/g, (character) => `\\u00${character.charCodeAt(0).toString(16)}`);

// logfmt quotes values with spaces, quotes, `=` or control characters. Its readers understand JSON's escapes.
const logfmtValue = (value: string | number | boolean): string => {
  const text = String(value);
  return /^[^\s"=\\\p{Cc}]+$/u.test(text) ? text : quoted(text);
};

const formatLine: Record<LogFormat, (entry: LogFields) => string> = {
  logfmt: (entry) =>
    Object.entries(entry)
      .map(([key, value]) => `${key}=${logfmtValue(value)}`)
      .join(' '),
  json: (entry) => quoted(entry),
};

/** A log that passes one line per message of at least `level` to `write`. */
export const createLog = (options: {
  level: LogLevel;
  format: LogFormat;
  write: (line: string) => void;
  now?: () => Date;
}): Log => {
  const { level: least, format, write, now = () => new Date() } = options;
  const at =
    (level: LogLevel) =>
    (message: string, fields: LogFields = {}): void => {
      if (logLevels.indexOf(level) < logLevels.indexOf(least)) return;
      write(`${formatLine[format]({ time: now().toISOString(), level, msg: message, ...fields })}\n`);
    };
  return { debug: at('debug'), info: at('info'), warn: at('warn'), error: at('error') };
};
