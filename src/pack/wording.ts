import type { AlertLevel, Alert, Unit } from './alerts/alert.ts';
import { each, query, value } from './template.ts';

/** A measured value in words: as a template of Prometheus in which the dot is the value, and as plain text. */
interface Wording {
  /** The value is multiplied by this before the template. */
  factor: number;
  template: string;
  plain: (value: number) => string;
  limit: string;
}

const significant = (number: number): string => String(Number(number.toPrecision(4)));

const prefixes = [
  [1e9, 'G'],
  [1e6, 'M'],
  [1e3, 'k'],
] as const;

/** As `humanize` of Prometheus's templates, for values of at least 1. */
const humanized = (number: number): string => {
  const [size, prefix] = prefixes.find(([least]) => number >= least) ?? [1, ''];
  return `${significant(number / size)}${prefix}`;
};

/** As `humanizeDuration` of Prometheus's templates. */
const humanizedDuration = (seconds: number): string => {
  if (seconds >= 60) {
    const whole = Math.trunc(seconds);
    const [hours, minutes] = [Math.trunc(whole / 3600), Math.trunc(whole / 60) % 60];
    return hours > 0 ? `${hours}h ${minutes}m ${whole % 60}s` : `${minutes}m ${whole % 60}s`;
  }
  if (seconds >= 1 || seconds === 0) return `${significant(seconds)}s`;
  return seconds >= 1e-3 ? `${significant(1e3 * seconds)}ms` : `${significant(1e6 * seconds)}us`;
};

/** How values of a unit are written. Small limits get a decimal. */
const wordingOf = (unit: Unit, limit: number): Wording => {
  switch (unit) {
    case 'percent': {
      const decimals = limit < 0.1 ? 1 : 0;
      return {
        factor: 100,
        template: value(`%.${decimals}f %%`),
        plain: (ratio) => `${(100 * ratio).toFixed(decimals)} %`,
        limit: `${significant(100 * limit)} %`,
      };
    }
    case 'seconds':
      return {
        factor: 1,
        template: '{{ .Value | humanizeDuration }}',
        plain: humanizedDuration,
        limit: limit < 1 ? `${significant(1000 * limit)}ms` : `${limit}s`,
      };
    case 'number':
      return {
        factor: 1,
        template: limit < 1000 ? value('%.1f') : '{{ .Value | humanize }}',
        plain: limit < 1000 ? (number) => number.toFixed(1) : humanized,
        limit: humanized(limit),
      };
  }
};

/** A level of an alert, and its threshold as a user has it. */
interface Limited {
  alert: Alert;
  level: AlertLevel;
  threshold: number;
}

/** The value of a cause in words with its limit, as a template of Prometheus. The dot is its score. */
export const readingTemplate = ({ alert, level, threshold }: Limited): string => {
  const reading = level.reading ?? alert.reading;
  if (!reading) return '{{ .Value | humanize }} times its limit';
  if (!reading.unit) return reading.text('');
  const { factor, template, limit } = wordingOf(reading.unit, threshold);
  const measured = each(query(`%f * ${Number((factor * threshold).toPrecision(12))}`, '.Value'), template);
  return `${reading.text(measured)}, limit ${limit}`;
};

/** The value of a cause in words with its limit: `56 % of wanted CPU time is stolen, limit 30 %`. */
export const readingInWords = ({ alert, level, threshold }: Limited, measured: number): string => {
  const reading = level.reading ?? alert.reading;
  if (!reading) return `${humanized(measured / threshold)} times its limit`;
  if (!reading.unit) return reading.text('');
  const { plain, limit } = wordingOf(reading.unit, threshold);
  return `${reading.text(plain(measured))}, limit ${limit}`;
};
