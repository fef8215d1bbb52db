import * as v from 'valibot';
import { readConfigFile, type ConfigFile } from '../config/config-file.ts';
import { describeAt, describeIssue, type KeyPath } from '../config/issue.ts';
import { UsageError, usageErrorOf } from '../config/usage-error.ts';
import { severities, type Alert } from '../pack/alerts/alert.ts';
import { changeOf, isMain, isThreshold, levelOf, type AlertChanges } from '../pack/alerts/changes.ts';
import { alerts } from '../pack/alerts/alerts.ts';

const levelEntries = {
  threshold: v.optional(
    v.custom<number>((value) => typeof value === 'number' && isThreshold(value), 'a number above 0'),
  ),
  for: v.optional(
    v.custom<string>(
      (value) => typeof value === 'string' && /^(?=.)(\d+y)?(\d+w)?(\d+d)?(\d+h)?(\d+m)?(\d+s)?(\d+ms)?$/.test(value),
      'a duration such as 30s, 5m or 1h30m',
    ),
  ),
  severity: v.optional(v.picklist(severities, `one of ${severities.join(', ')}`)),
};

const alertSchema = ({ levels: [, ...others] }: Alert) => {
  const entries = {
    ...levelEntries,
    disabled: v.optional(v.custom<boolean>((value) => typeof value === 'boolean', 'true or false')),
  };
  if (others.length === 0) return v.strictObject(entries);
  const levels = Object.fromEntries(others.map(({ severity }) => [severity, v.optional(v.strictObject(levelEntries))]));
  return v.strictObject({ ...entries, levels: v.optional(v.strictObject(levels)) });
};

const alertSchemas = Object.fromEntries(alerts.map((alert) => [alert.name, v.optional(alertSchema(alert))]));
const fileSchema = v.strictObject({ alerts: v.optional(v.strictObject(alertSchemas)) });

/** Lists the valid keys for an unknown key at this path. */
const expectedAt = (path: KeyPath): string => {
  const alert = alerts.find(({ name }) => name === path[1]);
  if (path.length === 1) return 'alerts';
  if (!alert) return 'the name of an alert, such as XenVcpuStarved';
  const others = alert.levels.slice(1).map(({ severity }) => severity);
  const keys = Object.keys(levelEntries);
  if (path.length === 3) keys.push('disabled', ...(others.length > 0 ? ['levels'] : []));
  return `one of ${(path.length === 4 && others.length > 0 ? others : keys).join(', ')}`;
};

const describe = (file: ConfigFile, issue: v.BaseIssue<unknown>): string => {
  const text = describeIssue(file, issue);
  return issue.expected === 'never'
    ? `${text}, expected ${expectedAt((issue.path ?? []).map(({ key }) => key as string))}`
    : text;
};

/** Levels with the same severity as another level of their alert. Prometheus could not distinguish them. */
const clashes = (file: ConfigFile, changes: AlertChanges): string[] =>
  alerts.flatMap((alert) => {
    const levels = alert.levels.map((level) => ({ level, severity: levelOf(changes, alert, level).severity }));
    return levels
      .filter(
        ({ level, severity }) =>
          changeOf(changes, alert, level)?.severity !== undefined &&
          levels.some((other) => other.level !== level && other.severity === severity),
      )
      .map(({ level, severity }) =>
        describeAt(
          file,
          ['alerts', alert.name, ...(isMain(alert, level) ? [] : ['levels', level.severity]), 'severity'],
          `expected a severity that no other level of ${alert.name} has, found "${severity}"`,
        ),
      );
  });

/** Reads alert changes from a parsed options file. Throws UsageError. */
export const parseOptionsFile = (file: ConfigFile): AlertChanges => {
  const result = v.safeParse(fileSchema, file.content);
  if (!result.success) throw usageErrorOf(result.issues, (issue) => describe(file, issue));
  const changes: AlertChanges = result.output.alerts ?? {};
  const faults = clashes(file, changes);
  if (faults.length > 0) throw new UsageError(faults.join('\n'));
  return changes;
};

/** Reads the file of `--options.file`. No file means no changes. Throws UsageError. */
export const readOptionsFile = (path: string | undefined): AlertChanges =>
  path === undefined ? {} : parseOptionsFile(readConfigFile('options.file', path));
