// npm run pictures [-- --prometheus=URL --seconds=180 --theme=dark|light --only=UID --top=0 --height=1250 --out=FOLDER]
// Draws every dashboard from its JSON and a real Prometheus's answers. By default that Prometheus scrapes the tests'
// captured hosts and guests, from idle into the storm. Takes some minutes. Needs Debian's chromium.
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { build } from 'esbuild';
import { chromium } from 'playwright-core';
import type { Dashboard } from '@grafana/grafana-foundation-sdk/dashboard';
import { dashboardUids } from '../../src/pack/dashboards.ts';
import { findProgram } from '../../src/host/commands.ts';
import { Fleet } from '../lib/fleet.ts';
import { choiceOf, interpolated, panelsOf, targetsOf, type Choice } from '../lib/grafana.ts';
import { prometheusAt, startPrometheus, type Prometheus } from '../lib/prometheus.ts';
import { scaledRuleFile } from '../lib/time-scale.ts';
import type { Answer } from './frames.ts';
import type { Picture } from './page.tsx';
import type { Panel } from './panel.ts';
import { project } from '../lib/project.ts';

const { values: options } = parseArgs({
  options: {
    prometheus: { type: 'string' },
    seconds: { type: 'string', default: '180' },
    theme: { type: 'string', default: 'dark' },
    only: { type: 'string' },
    top: { type: 'string', default: '0' },
    height: { type: 'string', default: '1250' },
    out: { type: 'string', default: join(project, 'docs/dashboards') },
  },
});
const seconds = Number(options.seconds);
/** The last two thirds are the storm. */
const idleSeconds = seconds / 3;
const stepSeconds = 2;
/** Five minutes take ten seconds. */
const timeScale = 1 / 30;
const width = 1360;

/** Values of the dashboards' variables: the guest in the storm, and its host. */
const choiceFor = async (prometheus: Prometheus): Promise<Choice> => {
  const guests = 'uuid:xen_guest_identity:info';
  const [worst] = await prometheus.query(
    `topk(1, ${guests} * on (uuid) uuid_netns:xen_accept_queue_full:ratio_rate5m)`,
  );
  const [guest] = await prometheus.query(`${guests}{uuid="${worst?.metric['uuid']}"}`);
  if (!guest) throw new Error('expected a guest with an exporter, found none');
  return { guest: guest.metric['uuid']!, host: guest.metric['host']!.replaceAll('.', '\\\\.') };
};

const answersOf = async (prometheus: Prometheus, board: Dashboard, choice: Choice, from: number, to: number) => {
  const answers: Record<number, Answer[]> = {};
  for (const panel of panelsOf(board)) {
    answers[panel.id!] = await Promise.all(
      targetsOf(panel).map(async ({ refId, expr, instant, legendFormat = '', format = 'time_series' }) => {
        const query = encodeURIComponent(interpolated(expr, choice));
        const path = instant
          ? `query?query=${query}&time=${to}`
          : `query_range?query=${query}&start=${from}&end=${to}&step=${stepSeconds}`;
        const { result } = await prometheus.ask<Pick<Answer, 'result'>>(`/api/v1/${path}`);
        return { refId, legend: legendFormat, format: format as Answer['format'], result };
      }),
    );
  }
  return answers;
};

/** Only the guest's dashboard is limited to the guest; the fleet's shows all. */
const setOf = (uid: string, { guest, host }: Choice): Choice => {
  if (uid === dashboardUids.guest) return { guest: guest! };
  return uid === dashboardUids.fleet ? {} : { host: host! };
};

/** Takes all pictures now. */
const picturesOf = async (prometheus: Prometheus): Promise<(Picture & { uid: string })[]> => {
  const to = Math.floor(Date.now() / 1000);
  const from = to - seconds;
  const one = await choiceFor(prometheus);
  const pictures = [];
  for (const uid of Object.values(dashboardUids).filter(
    (each) => options.only === undefined || each === options.only,
  )) {
    const file = new URL(`../../grafana/dashboards/${uid}.json`, import.meta.url);
    const board = JSON.parse(readFileSync(file, 'utf8')) as Dashboard;
    const choice = await choiceOf(prometheus, board, setOf(uid, one), '10s');
    pictures.push({
      uid,
      title: board.title!,
      chosen: '',
      panels: board.panels as unknown as Panel[],
      answers: await answersOf(prometheus, board, choice, from, to),
      from,
      to,
      isDark: options.theme === 'dark',
      width,
    });
  }
  return pictures;
};

/** Runs a fleet from idle into the storm and takes the pictures at the end. */
const picturesOfFleet = async (): Promise<(Picture & { uid: string })[]> => {
  const folder = mkdtempSync(join(tmpdir(), 'pictures-'));
  const rules = join(folder, 'rules.yml');
  writeFileSync(rules, scaledRuleFile(timeScale, 1));
  try {
    await using fleet = await Fleet.start();
    await using prometheus = await startPrometheus({
      ...fleet.targets,
      scrapeIntervalSeconds: 1,
      extraConfig: { rule_files: [rules] },
    });
    await delay(idleSeconds * 1000);
    fleet.replay.begin();
    await delay((seconds - idleSeconds) * 1000);
    return await picturesOf(prometheus);
  } finally {
    rmSync(folder, { recursive: true });
  }
};

const browserPath = findProgram('chromium');
if (browserPath === undefined) throw new Error('expected chromium on the PATH: apt-get install chromium');
const page = await build({
  entryPoints: [join(import.meta.dirname, 'page.tsx')],
  bundle: true,
  write: false,
  outdir: 'out',
  format: 'iife',
  jsx: 'automatic',
  loader: { '.svg': 'dataurl', '.ttf': 'dataurl', '.woff': 'dataurl', '.woff2': 'dataurl' },
  define: { 'process.env.NODE_ENV': '"production"' },
  logLevel: 'error',
});
const [script, style] = ['.js', '.css'].map((end) => page.outputFiles.find(({ path }) => path.endsWith(end))!.text);

const pictures =
  options.prometheus === undefined ? await picturesOfFleet() : await picturesOf(prometheusAt(options.prometheus));
mkdirSync(options.out, { recursive: true });
const browser = await chromium.launch({ executablePath: browserPath, args: ['--no-sandbox'] });
try {
  for (const { uid, ...picture } of pictures) {
    const tab = await browser.newPage({ viewport: { width, height: 800 }, timezoneId: 'UTC' });
    const errors: string[] = [];
    tab.on('pageerror', (error) => errors.push(String(error.stack)));
    // A page with its own origin, without network requests.
    const body = '<!doctype html><body style="margin:0"><div id="root"></div></body>';
    await tab.route('**/*', (route) =>
      route.request().isNavigationRequest()
        ? route.fulfill({ contentType: 'text/html', body })
        : route.fulfill({ status: 404 }),
    );
    await tab.goto('http://pictures.invalid/');
    await tab.addStyleTag({ content: style! });
    await tab.addScriptTag({ content: script! });
    if (errors.length > 0) throw new Error(errors.join('\n'));
    const whole = await tab.evaluate((what) => window.draw(what), picture as Picture);
    await tab.setViewportSize({ width, height: Math.ceil(whole) });
    // Charts appear once their size is known.
    await tab.waitForFunction(
      (charts) => document.querySelectorAll('.drawn canvas').length >= charts,
      picture.panels.filter(
        ({ id, type }) => type === 'timeseries' && picture.answers[id]!.some(({ result }) => result.length > 0),
      ).length,
    );
    await tab.evaluate(() => new Promise((drawn) => requestAnimationFrame(() => requestAnimationFrame(drawn))));
    if (errors.length > 0) throw new Error(`${picture.title}: ${errors.join('\n')}`);
    const top = Number(options.top);
    const height = Math.min(whole - top, Number(options.height));
    const file = join(options.out, `${uid}.png`);
    await tab.screenshot({ path: file, clip: { x: 0, y: top, width, height } });
    console.log(file);
    await tab.close();
  }
} finally {
  await browser.close();
}
