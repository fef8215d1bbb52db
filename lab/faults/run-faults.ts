// npm run lab:faults -- [--scheduler=credit|credit2] [--runs=N] [--speed=15|5|3|1] [--out=FOLDER] [NAME...]
// Runs faults on one boot of Xen, or on the running lab, and reports the alerts of each.
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { gzipSync } from 'node:zlib';
import { Chain } from './chain.ts';
import { faults } from './all.ts';
import { NEIGHBOUR, Scene, VICTIM, type Fault } from './fault.ts';
import { healthyLoads } from './healthy-loads.ts';
import { CACHE } from '../harness/image.ts';
import { Judge, type Told, type Verdict } from './judge.ts';
import { Lab } from '../harness/lab.ts';
import { SCHEDULER_NAMES, type SchedulerName } from '../harness/qemu.ts';
import { recordedFault } from './recorded-fault.ts';
import { RuleClock, SPEEDS } from './rule-clock.ts';
import { tell } from '../harness/tell.ts';

const LIFETIME_SECONDS_PER_RUN_OF_RULES = 15 * 3600;
/** Seconds of rules' time within which a page must arrive. */
const PAGE_SECONDS = 120;
/** Constant load on the victim's web server, in connections per second. */
const STEADY_RATE = 4;

const { values, positionals: names } = parseArgs({
  allowPositionals: true,
  options: {
    scheduler: { type: 'string', default: 'credit' },
    runs: { type: 'string', default: '1' },
    speed: { type: 'string', default: String(SPEEDS[0]) },
    out: { type: 'string', default: join(CACHE, 'faults') },
  },
});
const runs = Number(values.runs);
const speed = SPEEDS.find((each) => String(each) === values.speed);
const all = [...healthyLoads, ...faults];
const unknown = names.filter((name) => !all.some((each) => each.name === name));
const refused = [
  ...unknown.map((name) => `no fault ${name}; there are: ${all.map((each) => each.name).join()}`),
  ...(SCHEDULER_NAMES.includes(values.scheduler as SchedulerName)
    ? []
    : [`no scheduler ${values.scheduler}; there are: ${SCHEDULER_NAMES.join()}`]),
  ...(speed === undefined ? [`no speed ${values.speed}; there are: ${SPEEDS.join()}`] : []),
  ...(Number.isInteger(runs) && runs > 0 ? [] : [`--runs=${values.runs}: expected a whole number of runs`]),
];
if (refused.length > 0 || speed === undefined) {
  refused.forEach(tell);
  process.exit(2);
}
const clock = new RuleClock(speed);
const isAsked = ({ name }: { name: string }): boolean => names.length === 0 || names.includes(name);

const said = ({ alert, domain, cause, afterSeconds }: Told): string =>
  `${alert}(${[domain, cause].filter(Boolean).join(': ')}) ${afterSeconds} s`;

const rowOf = (verdict: Verdict): string[] => [
  verdict.name,
  verdict.isRight ? 'right' : 'WRONG',
  String(verdict.toldAfterSeconds ?? '-'),
  String(verdict.pages),
  String(verdict.resolvedAfterSeconds ?? '-'),
  verdict.falsePages.map(said).join('; ') || '-',
  verdict.told.map(said).join('; ') || '-',
];

const running = Lab.running();
const lab =
  running ??
  (await Lab.boot({
    scheduler: values.scheduler as SchedulerName,
    // Only the guests that faults need: under emulation a PVH guest occasionally resets itself, which would raise
    // alerts.
    guests: [VICTIM, NEIGHBOUR],
    lifetimeSeconds: ((runs + 1) * LIFETIME_SECONDS_PER_RUN_OF_RULES) / clock.speed,
    progress: tell,
  }));
mkdirSync(values.out, { recursive: true });
const rows = [['fault', 'verdict', 'told after s', 'pages', 'resolved after s', 'false pages', 'told']];
const verdicts: Verdict[] = [];
const failures: string[] = [];
try {
  const scene = new Scene(lab);
  await using chain = await Chain.start(lab, clock);
  const judge = new Judge(chain, scene, tell);
  const keep = async (verdict: Verdict, fault: Partial<Fault>): Promise<void> => {
    verdicts.push(verdict);
    const row = rowOf(verdict);
    rows.push(row);
    tell(row.join(' | '));
    const recorded = await recordedFault(chain, verdict, fault);
    const file = join(values.out, `${lab.scheduler}-${verdict.name}.json.gz`);
    writeFileSync(file, gzipSync(JSON.stringify(recorded), { level: 9 }));
  };
  /** A failure affects only this fault. */
  const judged = async (name: string, verdict: () => Promise<Verdict>, fault: Partial<Fault> = {}): Promise<void> => {
    try {
      await keep(await verdict(), fault);
    } catch (error) {
      failures.push(`${name}: ${(error as Error).message}`);
      tell(failures.at(-1)!);
    }
    // Written after each fault, in case the run is ended early.
    const result = { scheduler: lab.scheduler, speed: clock.speed, verdicts, failures };
    writeFileSync(join(values.out, 'verdicts.json'), `${JSON.stringify(result, null, 2)}\n`);
  };
  const steady = new Scene(lab);
  await scene.victim.run('pgrep nginx >/dev/null || nginx');
  try {
    for (let run = 1; run <= runs; run += 1) {
      tell(`run ${run} of ${runs}`);
      for (const load of healthyLoads.filter(isAsked)) await judged(load.name, () => judge.healthy(load));
      await steady.load('connections', 80, STEADY_RATE);
      for (const fault of faults.filter(isAsked)) {
        await judged(fault.name, () => judge.fault(fault), fault);
      }
      await steady.clear();
    }
  } finally {
    await scene.clear();
    await steady.clear();
  }
} finally {
  if (running === undefined) await lab[Symbol.asyncDispose]();
}
process.stdout.write(`${rows.map((row) => `| ${row.join(' | ')} |`).join('\n')}\n`);
const count = (what: (verdict: Verdict) => boolean): number => verdicts.filter(what).length;
const right = count(({ isRight }) => isRight);
const paged = count(({ pages }) => pages > 0);
const soon = count(({ pages, toldAfterSeconds = Infinity }) => pages > 0 && toldAfterSeconds <= PAGE_SECONDS);
process.stdout
  .write(`${right} of ${verdicts.length} right, ${count(({ falsePages }) => falsePages.length > 0)} with false pages
${soon} of ${paged} paged within ${PAGE_SECONDS} s, ${count(({ pages }) => pages > 1)} with more than one notification of a guest
`);
if (failures.length > 0) process.stdout.write(`not done: ${failures.join('; ')}\n`);
process.exitCode = right === verdicts.length && failures.length === 0 ? 0 : 1;
