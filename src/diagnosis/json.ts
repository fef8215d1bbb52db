import type { Verdict } from './verdict.ts';

/** Version of the structure. A change that breaks readers increments it. */
export const schemaVersion = 1;

const snakeCase = (name: string): string => name.replaceAll(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);

const renamed = (value: unknown): unknown => {
  if (Array.isArray(value)) return value.map(renamed);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(
    // Names of labels are no names of ours.
    Object.entries(value).map(([name, each]) => [snakeCase(name), name === 'labels' ? each : renamed(each)]),
  );
};

/** A verdict as JSON; docs/doctor.md describes it. */
export const verdictJson = (verdict: Verdict): string =>
  `${JSON.stringify({ schema: schemaVersion, ...(renamed(verdict) as object) }, undefined, 2)}\n`;
