import { expect, test } from 'vitest';
import { defaultPackOptions, rulePack, type PackOptions } from '../../src/pack/pack.ts';
import { toolSays } from '../../tools/lib/debian.ts';
import { TempTree } from '../../tools/lib/fake-host.ts';
import { onHost, type PromtoolTest } from './scenario.ts';

type Scenario = readonly [name: string, PromtoolTest];

/** Timeout of a promtool run on a machine that is busy with other work. */
export const timeout = 300_000;

/** With Go's default of 100 % promtool spends a quarter of its time on garbage collection. */
const SELDOM_COLLECTED = { GOGC: '400' };

/** promtool's output for these tests of the rule pack at their scrape interval. */
export const verdict = async (
  tests: readonly PromtoolTest[],
  evaluationInterval = '1m',
  options: Partial<PackOptions> = {},
): Promise<string> => {
  using folder = new TempTree();
  const scrapeIntervalSeconds = Number.parseInt(tests[0]!.interval, 10);
  const groups = rulePack({ ...defaultPackOptions, scrapeIntervalSeconds, ...options });
  folder.write({
    'rules.yml': JSON.stringify({ groups }),
    'test.yml': JSON.stringify({
      rule_files: ['rules.yml'],
      evaluation_interval: evaluationInterval,
      // Otherwise promtool's order is random.
      group_eval_order: groups.map(({ name }) => name),
      tests,
    }),
  });
  const { stdout, stderr } = await toolSays('promtool', ['test', 'rules', folder.path('test.yml')], SELDOM_COLLECTED);
  return stdout + stderr;
};

/** Merges tests of the same length into one, each on its own host. */
export const merged = (tests: readonly PromtoolTest[]): PromtoolTest => {
  if (tests.length === 1) return tests[0]!;
  const all = tests.map(onHost);
  const ofAlerts = Map.groupBy(
    all.flatMap(({ alert_rule_test = [] }) => alert_rule_test),
    ({ eval_time, alertname }) => `${eval_time} ${alertname}`,
  );
  return {
    interval: all[0]!.interval,
    input_series: all.flatMap(({ input_series }) => input_series),
    alert_rule_test: [...ofAlerts.values()].map((each) => ({
      ...each[0]!,
      exp_alerts: each.flatMap(({ exp_alerts }) => exp_alerts),
    })),
    promql_expr_test: all.flatMap(({ promql_expr_test = [] }) => promql_expr_test),
  };
};

/** The verdict on each test, from as few promtool runs as possible: if a run fails, its halves run alone. */
const verdicts = async (tests: readonly PromtoolTest[], evaluationInterval: string): Promise<string[]> => {
  const all = await verdict([merged(tests)], evaluationInterval);
  if (all.includes('SUCCESS') || tests.length === 1) return tests.map(() => all);
  const middle = Math.ceil(tests.length / 2);
  const each = [
    ...(await verdicts(tests.slice(0, middle), evaluationInterval)),
    ...(await verdicts(tests.slice(middle), evaluationInterval)),
  ];
  // Hosts that disturb each other fail only together.
  return each.every((one) => one.includes('SUCCESS')) ? tests.map(() => all) : each;
};

/** Verdicts of these scenarios by name. Scenarios that end at the same minute share a run. */
const verdictsByName = async (scenarios: readonly Scenario[], evaluationInterval: string) => {
  const found = new Map<string, string>();
  for (const run of Map.groupBy(scenarios, ([, { alert_rule_test }]) => alert_rule_test?.[0]?.eval_time).values()) {
    const tests = run.map(([, scenario]) => scenario);
    const all = await verdicts(tests, evaluationInterval);
    run.forEach(([name], index) => found.set(name, all[index]!));
  }
  return found;
};

/**
 * Creates a test per scenario and runs all of them together, each on its own host: promtool spends its time on
 * evaluating each rule each minute, almost independently of the number of series.
 */
export const testSideBySide = (scenarios: readonly Scenario[], evaluationInterval = '1m'): void => {
  let found: Promise<Map<string, string>> | undefined;
  test.for(scenarios)('%s', { timeout }, async ([name], { task }) => {
    const wanted = new Set(task.suite!.tasks.filter(({ mode }) => mode === 'run').map((each) => each.name));
    found ??= verdictsByName(
      scenarios.filter(([each]) => wanted.has(each)),
      evaluationInterval,
    );
    expect((await found).get(name)).toContain('SUCCESS');
  });
};
