import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { evaluate } from '../../src/promql/evaluate.ts';
import { parsePromql, type RuleText } from '../../src/promql/parse.ts';
import { expressions, intervalSeconds, times, worlds } from './generated.ts';
import { askPrometheus, type Question, type Reply } from './prometheus-answers.ts';
import { compareRows } from './recorded-rows.ts';
import { answerOf, differences, storeOf, type World } from './world.ts';

const seed = 20_261_130;
const worldCount = 60;
const queriesPerWorld = 12;

const ourReplies = ({ world, intervalSeconds, queries }: Question): Reply[] => {
  const exprs = queries.map(({ expr }) => parsePromql(expr));
  const store = storeOf(world, intervalSeconds, exprs);
  return queries.map(({ seconds }, index) => {
    try {
      return answerOf(evaluate(exprs[index]!, { store, time: Math.round(seconds * 1000) }));
    } catch (error) {
      return error as Error;
    }
  });
};

const difference = (ours: Reply, theirs: Reply): string[] => {
  if (ours instanceof Error || theirs instanceof Error)
    return ours instanceof Error && theirs instanceof Error ? [] : [`${String(ours)}, in Prometheus ${String(theirs)}`];
  return differences(ours, theirs);
};

/** In promtool's notation. */
const shown = (world: World): string =>
  Object.entries(world)
    .map(([series, scrapes]) => `${series} ${scrapes.join(' ')}`)
    .join('\n');

describe('the evaluator gives what Prometheus 3 gives of', () => {
  test.each(Object.entries(expressions))('%s', async (_, expression) => {
    const question = fc.record({
      world: worlds,
      intervalSeconds: fc.constant(intervalSeconds),
      queries: fc.array(fc.record({ expr: expression, seconds: times }), {
        minLength: queriesPerWorld,
        maxLength: queriesPerWorld,
      }),
    });
    const questions = fc.sample(question, { seed, numRuns: worldCount });
    const theirs = await askPrometheus(questions);
    const ours = questions.map(ourReplies);
    const wrong = questions.flatMap(({ world, queries }, index) =>
      queries.flatMap(({ expr, seconds }, at) =>
        difference(ours[index]![at]!, theirs[index]![at]!).map(
          (each) => `${expr} at ${seconds} s: ${each}, with ${shown(world)}`,
        ),
      ),
    );
    expect(wrong.slice(0, 3), `${wrong.length} differences`).toEqual([]);
    // Nothing agrees with nothing: many answers have to have series.
    const all = theirs.flat();
    const withSeries = all.filter((reply) => !(reply instanceof Error) && reply.size > 0);
    expect(withSeries.length).toBeGreaterThan(all.length / 5);
  });
});

/** Rules that read each other and themselves. None fails for any series: promtool would stop. */
const rules = {
  'r:behind': 'r:later or (m1 offset 1m)',
  'r:over': 'm1 > 0',
  'r:kept': 'm1 < 0 or r:kept',
  'r:last': 'last_over_time(r:over[1m])',
  'r:sum': 'sum by (x) (r:over) + on (x) group_left () (max by (x) (m2) > bool 0)',
  'r:rate': 'rate(r:sum[2m])',
  'r:ago': 'min_over_time(r:sum[1m] offset 2m)',
  'r:time': 'time() - 60',
  'r:alerts': 'count by (alertname, alertstate, x) (ALERTS offset 15s)',
  'r:later': 'label_replace(max by (x, y) (r:behind) > 1, "new", "$1", "x", "(.*)") unless on (x) r:kept',
};

/** As targets are scraped: a series that a scrape lacks becomes stale at once. */
const asScraped = (world: World): World =>
  Object.fromEntries(
    Object.entries(world).map(([series, scrapes]) => [
      series,
      scrapes.map((value, index) =>
        typeof value === 'number' ? value : typeof scrapes[index - 1] === 'number' ? 'stale' : '_',
      ),
    ]),
  );

/** Their expressions come and go. */
const alerts: readonly RuleText[] = [
  { alert: 'AtOnce', expr: 'm1 > 0' },
  { alert: 'Waits', expr: 'max by (x) (m1) + 2 > 0', for: '30s', labels: { severity: 'critical', y: 'own' } },
  { alert: 'Kept', expr: 'm1 > 0', keep_firing_for: '1m' },
  { alert: 'WaitsAndKept', expr: 'max by (y) (m1) + 1 > 0', for: '30s', keep_firing_for: '31s', labels: { x: '' } },
];

test('rows and alerts are those that Prometheus 3 records', async () => {
  const recording = Object.entries(rules).map(([record, expr]) => ({ record, expr }));
  const groups = [{ name: 'rules', rules: [...recording, ...alerts] }];
  const { rows, wrong } = await compareRows(
    fc.sample(worlds.map(asScraped), { seed, numRuns: 20 }),
    intervalSeconds,
    groups,
  );
  expect(wrong.slice(0, 10), `${wrong.length} differences`).toEqual([]);
  expect(rows).toBeGreaterThan(10_000);
});
