// npm run lab:faults -- [--scheduler=credit|credit2] [--out=FOLDER] [NAME...]
// Does faults on one boot of Xen, or on the lab that is up, and says what the rules told of each.
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { gzipSync } from 'node:zlib';
import { Chain } from './chain.ts';
import { faults } from './faults/all.ts';
import { Scene, type Expected } from './faults/fault.ts';
import { healthyLoads } from './faults/healthy-loads.ts';
import { CACHE } from './image.ts';
import { Judge, type Told, type Verdict } from './judge.ts';
import { Lab } from './lab.ts';
import { SCHEDULER_NAMES, type SchedulerName } from './qemu.ts';
import { recordedFault } from './recorded-fault.ts';

const LIFETIME_SECONDS = 2 * 3600;
/** Connections a second that the victim's web server serves all the time. */
const STEADY_RATE = 4;

const progress = (message: string): void => void process.stderr.write(`${message}\n`);

const { values, positionals: names } = parseArgs({
  allowPositionals: true,
  options: {
    scheduler: { type: 'string', default: 'credit' },
    out: { type: 'string', default: join(CACHE, 'faults') },
  },
});
const all = [...healthyLoads, ...faults];
const unknown = names.filter((name) => !all.some((each) => each.name === name));
if (unknown.length > 0 || !SCHEDULER_NAMES.includes(values.scheduler as SchedulerName)) {
  progress(
    `no fault ${unknown.join()} or scheduler ${values.scheduler}; there are: ${all.map(({ name }) => name).join()}`,
  );
  process.exit(2);
}
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
    guests: ['domu1', 'domu2', 'pvh1'],
    lifetimeSeconds: LIFETIME_SECONDS,
    progress,
  }));
mkdirSync(values.out, { recursive: true });
const rows = [['fault', 'verdict', 'told after s', 'pages', 'resolved after s', 'false pages', 'told']];
const verdicts: Verdict[] = [];
try {
  const scene = new Scene(lab);
  await using chain = await Chain.start(lab);
  const judge = new Judge(chain, scene, progress);
  const keep = async (verdict: Verdict, expected?: Expected): Promise<void> => {
    verdicts.push(verdict);
    const row = rowOf(verdict);
    rows.push(row);
    progress(row.join(' | '));
    const recorded = await recordedFault(chain.prometheus, verdict, expected);
    const file = join(values.out, `${lab.scheduler}-${verdict.name}.json.gz`);
    writeFileSync(file, gzipSync(JSON.stringify(recorded), { level: 9 }));
  };
  const steady = new Scene(lab);
  await scene.victim.run('pgrep nginx >/dev/null || nginx');
  try {
    for (const load of healthyLoads.filter(isAsked)) await keep(await judge.healthy(load));
    await steady.load('connections', 80, STEADY_RATE);
    for (const fault of faults.filter(isAsked)) await keep(await judge.fault(fault), fault.expected);
  } finally {
    await scene.clear();
    await steady.clear();
  }
} finally {
  if (running === undefined) await lab[Symbol.asyncDispose]();
}
const result = { scheduler: lab.scheduler, verdicts };
writeFileSync(join(values.out, 'verdicts.json'), `${JSON.stringify(result, null, 2)}\n`);
process.stdout.write(`${rows.map((row) => `| ${row.join(' | ')} |`).join('\n')}\n`);
const right = verdicts.filter(({ isRight }) => isRight);
process.stdout.write(`${right.length} of ${verdicts.length} right\n`);
process.exitCode = right.length === verdicts.length ? 0 : 1;
