import { parseArgs } from 'node:util';
import { degreesOf } from '../pack/alert.ts';
import { alerts } from '../pack/alerts.ts';
import { defaultPackOptions, rulePack, thresholdKey, type PackOptions } from '../pack/pack.ts';
import { prometheusRule, ruleFile } from '../pack/render.ts';
import { UsageError } from '../config/usage-error.ts';

export const rulesUsage = `usage: xen-exporter rules [FLAGS]

Prints the recording and alerting rules.

  --job=REGEX                 Label job of all exporters (default ${defaultPackOptions.job})
  --runbook-url=URL           Where the runbooks are; ALERT.md follows (default ${defaultPackOptions.runbookUrl})
  --grafana-url=URL           Where Grafana is; d/ and the uid of a dashboard follow (default ${defaultPackOptions.grafanaUrl})
  --set=ALERT.threshold=NUMBER, --set=ALERT.SEVERITY.threshold=NUMBER
                              Another threshold for an alert, or for another severity that it has. Repeatable.
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
        'grafana-url': { type: 'string', default: defaultPackOptions.grafanaUrl },
        set: { type: 'string', multiple: true, default: [] },
        format: { type: 'string', default: 'prometheus' },
        help: { type: 'boolean', default: false },
      },
    });
    return {
      job: values.job,
      runbookUrl: folderUrl(values['runbook-url']),
      grafanaUrl: folderUrl(values['grafana-url']),
      thresholds: new Map(values.set.map(threshold)),
      help: values.help,
      format: values.format,
    };
  } catch (error) {
    throw error instanceof UsageError ? error : new UsageError((error as Error).message, { cause: error });
  }
};

const folderUrl = (url: string): string => url.replace(/\/*$/, '/');

const thresholdKeys = alerts.flatMap((alert) => degreesOf(alert).map((degree) => thresholdKey(alert, degree)));

const threshold = (text: string): [key: string, value: number] => {
  const [, key = '', alert = '', number = ''] = /^((\w+)(?:\.\w+)?\.threshold)=(.+)$/.exec(text) ?? [];
  if (key === '')
    throw new UsageError(`--set=${text}: expected ALERT.threshold=NUMBER or ALERT.SEVERITY.threshold=NUMBER`);
  if (!thresholdKeys.includes(key)) {
    const keys = thresholdKeys.filter((each) => each.startsWith(`${alert}.`));
    throw new UsageError(
      keys.length === 0 ? `--set=${text}: there is no alert ${alert}` : `--set=${text}: expected ${keys.join(' or ')}`,
    );
  }
  const value = Number(number);
  // A score is a measure over its threshold.
  if (!(value > 0 && value < Infinity))
    throw new UsageError(`--set=${text}: expected a number above 0, found ${number}`);
  return [key, value];
};
