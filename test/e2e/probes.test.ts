import { execFileSync, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { exitOf, kill } from '../../tools/lib/child.ts';
import { TempTree } from '../../tools/lib/fake-host.ts';
import { startDaemon } from '../../tools/lib/daemon.ts';
import { project } from '../../tools/lib/project.ts';
import { until } from '../../tools/lib/until.ts';

const main = join(project, 'dist/main.js');
const tracefsModule = join(project, 'dist/host/tracefs.js');

/** Whether tracefs can be mounted here in a private mount namespace. */
const canMount = spawnSync('unshare', ['-m', 'sh', '-c', 'mount -t tracefs nodev /mnt']).status === 0;

let tree: TempTree;
let root: string;
beforeEach(() => {
  tree = new TempTree();
  root = tree.path('sys/kernel/tracing');
  mkdirSync(root, { recursive: true });
});
afterEach(() => tree[Symbol.dispose]());

/** Whether a process can be started in its own PID namespace. */
const canUnshare = spawnSync('unshare', ['--pid', '--fork', '--mount-proc', 'true']).status === 0;

/** Runs a script for which `root` is this kernel's tracefs. */
const onTracefs = (script: string): string =>
  execFileSync('unshare', ['-m', 'sh', '-ec', `mount -t tracefs nodev ${root}\n${script}`], {
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'pipe'],
  });
const exporter = `${process.execPath} ${main}`;
const cleanup = (flags = ''): string => `${exporter} probes --cleanup --path.sysfs=${'$ROOT'}/../.. ${flags}`;
const run = (script: string): string => onTracefs(`ROOT=${root}\n${script}`);

describe.skipIf(!canMount)("on this kernel's own tracefs", { timeout: 120_000 }, () => {
  const stranger = `xen_stranger_${process.pid}`;
  beforeAll(() => mkdirSync('/mnt', { recursive: true }));
  afterAll(() => {
    const script = `mount -t tracefs nodev /mnt; cd /mnt/instances; for left in ${stranger} xen_exporter_*; do [ ! -d $left ] || rmdir $left; done; ls`;
    execFileSync('unshare', ['-m', 'sh', '-c', script]);
  });

  test('an instance is made small and with nothing recorded, and goes away', () => {
    const script = `
      import { localTracefs } from ${JSON.stringify(tracefsModule)};
      const tracefs = localTracefs(process.argv[1]);
      await tracefs.makeInstance(${JSON.stringify(stranger)});
      const file = (name) => 'instances/${stranger}/' + name;
      const kilobytes = async () => Number.parseInt(await tracefs.read(file('buffer_size_kb')), 10);
      const before = await kilobytes();
      await tracefs.set(file('tracing_on'), '0');
      await tracefs.set(file('buffer_size_kb'), '1');
      await tracefs.append(file('events/sched/sched_switch/trigger'), 'traceoff:1 if prev_pid == 0');
      const armed = await tracefs.read(file('events/sched/sched_switch/trigger'));
      await tracefs.clearHists(file('events/sched/sched_switch'));
      const cleared = await tracefs.read(file('events/sched/sched_switch/trigger'));
      const state = { before, after: await kilobytes(), on: (await tracefs.read(file('tracing_on'))).trim(), armed, cleared };
      await tracefs.removeInstance(${JSON.stringify(stranger)});
      const failure = await tracefs.append(file('events/sched/sched_switch/trigger'), 'x').catch(({ code }) => code);
      console.log(JSON.stringify({ ...state, left: tracefs.files.exists('instances/${stranger}'), failure }));`;
    const state = JSON.parse(
      run(`${process.execPath} --input-type=module -e '${script.replaceAll("'", `'\\''`)}' $ROOT`),
    ) as {
      [name: string]: unknown;
      before: number;
      after: number;
    };
    expect(state.after).toBeLessThan(state.before / 10);
    expect(state).toMatchObject({
      on: '0',
      armed: expect.stringContaining('traceoff:count=1') as string,
      left: false,
      failure: 'ENOENT',
    });
    // Only hist triggers are removed; others stay.
    expect(state['cleared']).toBe(state['armed']);
  });

  test('cleanup takes away what a process that is gone has left, and nothing else', () => {
    // No process has this pid and start time.
    const said = run(`
      mkdir $ROOT/instances/xen_exporter_1_1 $ROOT/instances/${stranger}
      ${cleanup()}
      ls $ROOT/instances
      rmdir $ROOT/instances/${stranger}`);
    expect(said).toBe(`Removed instances/xen_exporter_1_1\n${stranger}\n`);
    expect(run(cleanup())).toBe('Found no leftover probes\n');
  });

  test('a kernel without kprobes has no such collector, and the landing page says why', () => {
    const page = tree.path('page');
    const has = run('ls $ROOT | grep -x -e kprobe_events -e synthetic_events || :');
    const port = '$(sed -n "s/.*127.0.0.1:\\([0-9]*\\).*/\\1/p" $LOG)';
    run(`LOG=${tree.path('log')}
      : >$LOG
      ${exporter} --web.listen-address=127.0.0.1:0 --collector.probes --path.sysfs=$ROOT/../.. 2>$LOG &
      exporter=$!
      until grep -q 'Listening on' $LOG; do kill -0 $exporter; done
      node=${process.execPath}
      $node -e 'fetch(process.argv[1]).then((r) => r.text()).then((text) => console.log(text))' http://127.0.0.1:${port}/ >${page}
      kill -TERM $exporter
      wait $exporter
      ls $ROOT/instances >${tree.path('instances')}`);
    expect(readFileSync(tree.path('instances'), 'utf8')).toBe('');
    if (!has.includes('kprobe_events'))
      expect(readFileSync(page, 'utf8')).toContain('this kernel has no kprobe events');
  });
});

test.skipIf(!canUnshare)('an exporter in another PID namespace keeps its probes while it lives', async () => {
  // No process here has this pid and start time.
  const instance = join(root, 'instances/xen_exporter_2_1');
  mkdirSync(instance, { recursive: true });
  tree.write({ 'sys/kernel/tracing/kprobe_events': '' });
  const script = `
    import { localTracefs } from ${JSON.stringify(tracefsModule)};
    const lock = await localTracefs(${JSON.stringify(root)}).lock();
    console.log(lock === undefined ? 'none' : 'locked');
    setInterval(() => {}, 1000);`;
  const holder = spawn(
    'unshare',
    ['--pid', '--fork', '--kill-child', '--mount-proc', process.execPath, '--input-type=module', '--eval', script],
    { stdio: ['ignore', 'pipe', 'inherit'] },
  );
  const exited = exitOf(holder);
  const cleanUp = () =>
    spawnSync(process.execPath, [main, 'probes', '--cleanup', `--path.sysfs=${tree.path('sys')}`], {
      encoding: 'utf8',
    });
  try {
    expect(String((await once(holder.stdout, 'data'))[0])).toBe('locked\n');
    const { status, stderr } = cleanUp();
    expect([status, stderr]).toEqual([
      1,
      `xen-exporter: another running xen-exporter has probes in ${root} (instances/xen_exporter_2_1)\n`,
    ]);
    expect(existsSync(instance)).toBe(true);
  } finally {
    await kill(holder, exited);
  }
  const removed = await until('the kernel to release the lock', () => {
    const { status, stdout } = cleanUp();
    return status === 0 && stdout;
  });
  expect(removed).toBe('Removed instances/xen_exporter_2_1\n');
  expect(existsSync(instance)).toBe(false);
});

test('where tracefs is not mounted the collector is absent, and cleanup says so', async () => {
  await using daemon = await startDaemon({ args: ['--collector.probes', `--path.sysfs=${tree.path('sys')}`] });
  const about = { collector: 'probes' };
  const page = await daemon.metrics();
  expect(page.value('xen_exporter_collector_available', about)).toBe(0);
  expect(page.value('xen_exporter_collector_success', about)).toBe(1);
  expect((await daemon.get('/')).body).toContain(`no tracefs at ${root}`);
  const { status, stderr } = spawnSync(
    process.execPath,
    [main, 'probes', '--cleanup', `--path.sysfs=${tree.path('sys')}`],
    {
      encoding: 'utf8',
    },
  );
  expect([status, stderr]).toEqual([
    1,
    `xen-exporter: no tracefs at ${root} (mount -t tracefs nodev ${root}, or path.tracefs)\n`,
  ]);
});

test.each([
  [[], 'probes: expected --cleanup'],
  [['--what'], "Unknown option '--what', --help lists the flags"],
])('probes %j is refused', (args, message) => {
  const { status, stderr } = spawnSync(process.execPath, [main, 'probes', ...args], { encoding: 'utf8' });
  expect(status).toBe(2);
  expect(stderr).toContain(message);
});
