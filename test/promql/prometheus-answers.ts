import { execFile } from 'node:child_process';
import { TempTree } from '../../tools/lib/fake-host.ts';
import { debianTool } from '../../tools/lib/debian.ts';
import { answerKey, type Answer, type World } from './world.ts';

/** A question for Prometheus 3. */
export interface Question {
  world: World;
  intervalSeconds: number;
  /** Expressions, each with the seconds at which it is evaluated. */
  queries: readonly { expr: string; seconds: number }[];
}

interface Rules {
  groups: readonly { name: string; rules: readonly object[] }[];
  evaluationSeconds: number;
}

/** An answer of Prometheus, or why it refuses to give one. */
export type Reply = Answer | Error;

const sample = /\{((?:[^"}]|"(?:[^"\\]|\\.)*")*)\} (\S+?)(?:, |$)/g;
const label = /([\w:]+)=("(?:[^"\\]|\\.)*")/g;
// promtool prints what differs from the expected samples, and nothing is expected.
const reply = /expr: "(?:[^"\\]|\\.)*# (\d+)", time: [^,]+,(?: err: (.*)|\n +exp: nil\n +got: (.*))/g;

const valueOf = (text: string): number => Number(text.replace('Inf', 'Infinity'));

const answerIn = (text: string): Answer =>
  new Map(
    [...text.matchAll(sample)].map(([, labels, value]) => [
      answerKey([...labels!.matchAll(label)].map(([, name, quoted]) => [name!, JSON.parse(quoted!) as string])),
      valueOf(value!),
    ]),
  );

const promtool = async (folder: TempTree): Promise<string> => {
  const { path, env } = await debianTool('promtool', 3);
  const options = { env: { ...env, GOGC: '400' }, maxBuffer: 2 ** 29 - 1 };
  return new Promise((done, failed) => {
    execFile(path, ['test', 'rules', folder.path('test.yml')], options, (error, stdout, stderr) =>
      // 1: some samples were not expected.
      error && error.code !== 1 ? failed(error) : done(stdout + stderr),
    );
  });
};

/** promtool appends samples up to its last evaluation of rules: this one is behind all queries. */
const lastEvaluation = (queries: Question['queries'], evaluationSeconds: number) => ({
  expr: 'nothing',
  eval_time: `${(Math.ceil(Math.max(...queries.map(({ seconds }) => seconds)) / evaluationSeconds) + 1) * evaluationSeconds}s`,
  exp_samples: [],
});

const notation = (value: number | string): string => String(value).replace('Infinity', 'Inf');

/** The replies of Prometheus 3 to the queries of each question, in one run of promtool. Rules are evaluated before. */
export const askPrometheus = async (questions: readonly Question[], rules?: Rules): Promise<Reply[][]> => {
  using folder = new TempTree();
  const evaluationSeconds = rules?.evaluationSeconds ?? 60;
  let number = 0;
  folder.write({
    'rules.yml': JSON.stringify({ groups: rules?.groups ?? [] }),
    'test.yml': JSON.stringify({
      rule_files: ['rules.yml'],
      evaluation_interval: `${evaluationSeconds}s`,
      group_eval_order: rules?.groups.map(({ name }) => name) ?? [],
      tests: questions.map(({ world, intervalSeconds, queries }) => ({
        interval: `${intervalSeconds}s`,
        input_series: Object.entries(world).map(([series, scrapes]) => ({
          series,
          values: scrapes.map(notation).join(' '),
        })),
        promql_expr_test: [
          ...queries.map(({ expr, seconds }) => ({
            expr: `${expr} # ${number++}`,
            eval_time: `${Math.round(seconds * 1000)}ms`,
            exp_samples: [],
          })),
          lastEvaluation(queries, evaluationSeconds),
        ],
      })),
    }),
  });
  const output = await promtool(folder);
  const replies = new Map<number, Reply>();
  for (const [, id, refusal, got] of output.matchAll(reply))
    replies.set(Number(id), refusal === undefined ? answerIn(got!) : new Error(refusal));
  // A question that promtool cannot read has no replies, and a rule that fails leaves none.
  const failure =
    /^ *(?:rule|group|name): .*$/m.exec(output)?.[0] ?? (/SUCCESS|FAILED/.test(output) ? undefined : output);
  if (failure !== undefined) throw new Error(`promtool: ${failure.slice(0, 2000)}`);
  number = 0;
  return questions.map(({ queries }) => queries.map(() => replies.get(number++) ?? new Map<string, number>()));
};
