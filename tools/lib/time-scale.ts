import {
  defaultPackOptions,
  rulePack,
  type AlertingRule,
  type PackOptions,
  type RuleGroup,
} from '../../src/pack/pack.ts';

const secondsOf = { s: 1, m: 60, h: 3600, d: 86_400 } as const;

/** A Prometheus duration multiplied by a factor. */
export const scaled = (duration: string, factor: number): string => {
  const [, number, unit] = /^(\d+)([smhd])$/.exec(duration)!;
  return `${Math.round(Number(number) * secondsOf[unit as keyof typeof secondsOf] * factor * 1000)}ms`;
};

/** A query with all windows, offsets and times multiplied by a factor. */
export const scaledQuery = (expr: string, factor: number): string =>
  expr
    .replaceAll(/\[(\d+[smhd])\]/g, (_, duration: string) => `[${scaled(duration, factor)}]`)
    .replaceAll(/offset (\d+[smhd])/g, (_, duration: string) => `offset ${scaled(duration, factor)}`)
    .replaceAll(/time\(\) - (\d+)/g, (_, seconds: string) => `time() - ${Number(seconds) * factor}`);

/** The rules with all windows, offsets and waits multiplied by a factor, so that minutes pass in seconds. */
const inScaledTime = (groups: readonly RuleGroup[], factor: number): RuleGroup[] =>
  groups.map(({ name, rules }) => ({
    name,
    rules: rules.map((rule) => {
      const expr = scaledQuery(rule.expr, factor);
      if (!('alert' in rule)) return { ...rule, expr };
      const waits: Partial<AlertingRule> = { for: scaled(rule.for, factor) };
      if (rule.keep_firing_for !== undefined) waits.keep_firing_for = scaled(rule.keep_firing_for, factor);
      const annotations = Object.fromEntries(
        Object.entries(rule.annotations).map(([name, text]) => [name, scaledQuery(text, factor)]),
      );
      return { ...rule, ...waits, expr, annotations };
    }),
  }));

/**
 * A file of the shipped rules in such time, for a Prometheus that scrapes every so many seconds of true time.
 * `changes`: other options of the pack than the default.
 */
export const scaledRuleFile = (
  factor: number,
  scrapeIntervalSeconds: number,
  changes: Partial<PackOptions> = {},
): string => {
  const options = {
    ...defaultPackOptions,
    ...changes,
    scrapeIntervalSeconds: Math.round(scrapeIntervalSeconds / factor),
  };
  return JSON.stringify({ groups: inScaledTime(rulePack(options), factor) });
};
