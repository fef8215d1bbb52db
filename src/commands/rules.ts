import type { CommandLine } from '../config/command-line.ts';
import { choiceOption, pathOption, switchOption, textListOption, textOption } from '../config/option.ts';
import { isMatchers } from '../config/matchers.ts';
import { isRe2 } from '../config/re2.ts';
import { resolveFlags } from '../config/resolve-settings.ts';
import { settingsOf } from '../config/settings.ts';
import { UsageError } from '../config/usage-error.ts';
import { alerts } from '../pack/alerts/alerts.ts';
import { isThreshold, withThreshold, type AlertChanges } from '../pack/alerts/changes.ts';
import { metricsRead } from '../pack/metrics-read.ts';
import { defaultPackOptions, rulePack, thresholdKey } from '../pack/pack.ts';
import { prometheusRule, ruleFile } from '../pack/render.ts';
import { print, warn, type Command } from './command.ts';
import { readOptionsFile } from './options-file.ts';

const renderers = { prometheus: ruleFile, operator: prometheusRule } as const;

const anyText = { expected: 'a text', holds: (): boolean => true };

/** Converts a duration to seconds, or NaN. */
const secondsOf = (duration: string): number =>
  duration === '1m' ? 60 : Number(/^(\d+)s$/.exec(duration)?.[1] ?? NaN);

/** Labels that the rules use themselves. */
const ownLabels = new Set(
  (
    'address alertname alertstate cause certificate collector device domain family hop host instance job kind le level mode netns ' +
    'operation port probes queue ring role severity source state uuid vif'
  ).split(' '),
);

const options = {
  job: textOption({
    expected: 'a Prometheus regular expression (RE2: no lookaround, no backreferences)',
    holds: (text) => text !== '' && isRe2(text),
    help: 'Regular expression for the label job of all exporters.',
    default: defaultPackOptions.job,
    metavar: 'REGEX',
  }),
  'host-selector': textOption({
    expected: `matchers of target labels, such as ${defaultPackOptions.hostSelector}`,
    holds: isMatchers,
    help: 'Matchers of the target labels of Dom0s and driver domains. The rules trust metrics of domains and vifs only from these targets.',
    default: defaultPackOptions.hostSelector,
    metavar: 'MATCHERS',
  }),
  'keep-labels': textListOption({
    expected: 'target labels that the rules do not use themselves, such as site,rack,team',
    holds: (text) => text.split(',').every((label) => /^(?!__)[a-zA-Z_]\w*$/.test(label) && !ownLabels.has(label)),
    help: 'Comma-separated target labels that alerts keep, from the exporter in the guest if it has them, otherwise from its host. Repeatable.',
    default: [],
    metavar: 'LABELS',
  }),
  'scrape-interval': textOption({
    expected: 'a duration from 1s to 60s, or 1m',
    holds: (text) => secondsOf(text) >= 1 && secondsOf(text) <= 60,
    help: 'How often Prometheus scrapes the exporters. Windows that must hold several scrapes grow with it.',
    default: `${defaultPackOptions.scrapeIntervalSeconds}s`,
    metavar: 'DURATION',
  }),
  'runbook-url': textOption({
    ...anyText,
    help: 'Base URL of the runbooks; ALERT.md follows.',
    default: defaultPackOptions.runbookUrl,
    metavar: 'URL',
  }),
  'grafana-url': textOption({
    ...anyText,
    help: 'Base URL of Grafana; d/ and the uid of a dashboard follow.',
    default: defaultPackOptions.grafanaUrl,
    metavar: 'URL',
  }),
  'options.file': pathOption({
    help: 'YAML file that disables alerts and sets their thresholds, durations and severities. --set overrides the file. See docs/alerts/README.md.',
    default: undefined,
    mayBeRelative: true,
  }),
  set: textListOption({
    ...anyText,
    help: 'New threshold of an alert: ALERT.threshold=NUMBER, or ALERT.SEVERITY.threshold=NUMBER for another of its severities. Repeatable.',
    default: [],
    metavar: 'THRESHOLD',
  }),
  format: choiceOption({
    help: 'Output format: a rule file, or a PrometheusRule of the Prometheus Operator.',
    default: 'prometheus',
    choices: ['prometheus', 'operator'],
  }),
  metrics: switchOption({
    help: 'Print the names of the metrics that the rules read, one per line, instead of the rules.',
    default: false,
  }),
};

const folderUrl = (url: string): string => url.replace(/\/*$/, '/');

const levels = alerts.flatMap((alert) =>
  alert.levels.map((level) => ({ key: thresholdKey(alert, level), alert, level })),
);

/** Applies one --set to the changes. */
const withSet = (changes: AlertChanges, text: string): AlertChanges => {
  const [, key = '', alert = '', number = ''] = /^((\w+)(?:\.\w+)?\.threshold)=(.+)$/.exec(text) ?? [];
  if (key === '')
    throw new UsageError(`--set=${text}: expected ALERT.threshold=NUMBER or ALERT.SEVERITY.threshold=NUMBER`);
  const found = levels.find((each) => each.key === key);
  if (!found) {
    const keys = levels.map((each) => each.key).filter((each) => each.startsWith(`${alert}.`));
    throw new UsageError(
      keys.length === 0 ? `--set=${text}: there is no alert ${alert}` : `--set=${text}: expected ${keys.join(' or ')}`,
    );
  }
  const value = Number(number);
  if (!isThreshold(value)) throw new UsageError(`--set=${text}: expected a number above 0, found ${number}`);
  return withThreshold(changes, found.alert, found.level, value);
};

/** Renders the rules, or with `--metrics` the list of the metrics that they read. Throws UsageError. */
export const renderRules = (given: CommandLine['given'] = {}): string => {
  const values = resolveFlags(options, given);
  const groups = rulePack({
    job: values.job,
    hostSelector: values['host-selector'],
    keptLabels: [...new Set(values['keep-labels'].flatMap((text) => text.split(',')))],
    scrapeIntervalSeconds: secondsOf(values['scrape-interval']),
    runbookUrl: folderUrl(values['runbook-url']),
    grafanaUrl: folderUrl(values['grafana-url']),
    alerts: values.set.reduce(withSet, readOptionsFile(values['options.file'])),
  });
  return values.metrics ? `${metricsRead(groups).join('\n')}\n` : renderers[values.format](groups);
};

/** Warning about rules that can be loaded but have a problem; undefined if there is none. */
const warning = (given: CommandLine['given']): string | undefined => {
  const { metrics, 'runbook-url': url } = resolveFlags(options, given);
  if (metrics || folderUrl(url) !== folderUrl(defaultPackOptions.runbookUrl)) return undefined;
  return `the runbook links of these alerts lead nowhere: --runbook-url is the placeholder ${url}. Publish the runbooks (packages have them in /usr/share/xen-exporter/runbooks) and pass their URL`;
};

/** `xen-exporter rules`. */
export const rules: Command = {
  name: 'rules',
  description: 'Prints the recording and alerting rules.',
  readsConfigFile: false,
  settings: settingsOf(options),
  run: ({ given }) => {
    print(renderRules(given));
    const text = warning(given);
    if (text !== undefined) warn(text);
  },
};
