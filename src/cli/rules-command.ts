import { parseArgs } from 'node:util';
import { alerts } from '../pack/alerts.ts';
import { defaultPackOptions, rulePack, type PackOptions } from '../pack/pack.ts';
import { prometheusRule, ruleFile } from '../pack/render.ts';
import { UsageError } from './usage-error.ts';

export const rulesUsage = `usage: xen-exporter rules [FLAGS]

Prints the recording and alerting rules.

  --job=REGEX                 Label job of all exporters (default ${defaultPackOptions.job})
  --runbook-url=URL           Where the runbooks are; ALERT.md follows (default ${defaultPackOptions.runbookUrl})
  --set=ALERT.threshold=NUMBER
                              Another threshold for an alert. Repeatable.
  --format=prometheus|operator
                              A rule file, or a PrometheusRule of the Prometheus Operator (default prometheus)
  --help                      Print this text and exit.
`;

const formats: Readonly<Record<string, typeof ruleFile>> = { prometheus: ruleFile, operator: prometheusRule };

/** What `xen-exporter rules` prints for these arguments. Throws UsageError. */
export const rulesCommand = (args: readonly string[]): string => {
  const { help, format, ...options } = parsed(args);
  if (help) return rulesUsage;
  const render = formats[format];
  if (!render) throw new UsageError(`--format=${format}: expected ${Object.keys(formats).join(' or ')}`);
  return render(rulePack(options));
};

const parsed = (args: readonly string[]): PackOptions & { help: boolean; format: string } => {
  try {
    const { values } = parseArgs({
      args: [...args],
      options: {
        job: { type: 'string', default: defaultPackOptions.job },
        'runbook-url': { type: 'string', default: defaultPackOptions.runbookUrl },
        set: { type: 'string', multiple: true, default: [] },
        format: { type: 'string', default: 'prometheus' },
        help: { type: 'boolean', default: false },
      },
    });
    return {
      job: values.job,
      runbookUrl: values['runbook-url'].replace(/\/*$/, '/'),
      thresholds: new Map(values.set.map(threshold)),
      help: values.help,
      format: values.format,
    };
  } catch (error) {
    throw error instanceof UsageError ? error : new UsageError((error as Error).message, { cause: error });
  }
};

const threshold = (text: string): [alert: string, value: number] => {
  const [, alert = '', number = ''] = /^(\w+)\.threshold=(.+)$/.exec(text) ?? [];
  if (alert === '') throw new UsageError(`--set=${text}: expected ALERT.threshold=NUMBER`);
  if (!alerts.some(({ name }) => name === alert)) throw new UsageError(`--set=${text}: there is no alert ${alert}`);
  const value = Number(number);
  // A score is a measure over its threshold.
  if (!(value > 0 && value < Infinity))
    throw new UsageError(`--set=${text}: expected a number above 0, found ${number}`);
  return [alert, value];
};
