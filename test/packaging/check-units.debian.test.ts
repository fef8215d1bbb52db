import { chmodSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { commandOutput } from '../../tools/lib/command.ts';
import { toolSays } from '../../tools/lib/debian.ts';
import { TempTree } from '../../tools/lib/fake-host.ts';
import { project } from '../../tools/lib/project.ts';
import { ownScript } from '../../tools/package/tree.ts';

const units = join(project, 'systemd');
const unit = 'xen-exporter.service';

/** A systemctl for the script: units are below the folder, and a unit to start is copied at that moment. */
const systemctl = `
case $1 in
  cat)
    cat "$DPKG_ROOT/usr/lib/systemd/system/$2"
    for file in "$DPKG_ROOT/etc/systemd/system/$2.d"/*.conf; do
      if [ -e "$file" ]; then echo; echo "# $file"; cat "$file"; fi
    done
    ;;
  start) mkdir -p "$DPKG_ROOT/seen" && cp -r "$DPKG_ROOT/run/." "$DPKG_ROOT/seen/" && [ ! -e "$DPKG_ROOT/refused" ] ;;
  daemon-reload | reset-failed) ;;
  *) exit 1 ;;
esac`;

let root: TempTree;
beforeEach(() => {
  root = new TempTree();
  root.writeScript('stubs/systemctl', systemctl);
  root.writeScript('stubs/journalctl', 'echo "$@" | sed -n "s/.*--identifier=.*/what it says/p"');
  root.writeScript('stubs/id', 'echo 0');
  root.write({ 'run/systemd/system/other.service': '' });
  const script = ownScript('check-units.sh');
  // The script's own folders are below this one; folders named in units are too.
  root.write({ 'check-units': script.replaceAll(/\/run\/(?!credentials)/g, `${root.root}/run/`) });
  chmodSync(root.path('check-units'), 0o755);
});
afterEach(() => root[Symbol.dispose]());

const install = (...names: string[]): void => {
  for (const name of names) root.write({ [`usr/lib/systemd/system/${name}`]: readFileSync(join(units, name), 'utf8') });
};

const checkUnits = (): Promise<string> =>
  commandOutput(root.path('check-units'), [], {
    env: { DPKG_ROOT: root.root, PATH: [root.path('stubs'), '/usr/bin', '/bin'].join(delimiter) },
  });

/** The started copy with its name. */
const started = (): { name: string; text: string } => {
  const folder = root.path('seen/systemd/system');
  const [name] = readdirSync(folder).filter((each) => each.startsWith('xen-exporter-check-'));
  return { name: name!, text: readFileSync(join(folder, name!), 'utf8') };
};
const valuesOf = (text: string, key: string): string[] =>
  [...text.matchAll(new RegExp(`^${key}=(.*)$`, 'gm'))].map(([, value]) => value!);

describe('a copy of the unit', () => {
  test('is started once with the same settings and --config.check, and leaves nothing', async () => {
    install(unit);
    expect(await checkUnits()).toBe(`${unit}:\nwhat it says\n`);
    const { text } = started();
    expect(valuesOf(text, 'ExecStart')).toEqual(['/usr/bin/xen-exporter $LISTEN $ARGS --config.check']);
    expect(['Type', 'Restart', 'WatchdogSec', 'RuntimeDirectory'].map((key) => valuesOf(text, key).at(-1))).toEqual([
      'oneshot',
      'no',
      '0',
      '',
    ]);
    const own = readFileSync(join(units, unit), 'utf8');
    for (const key of ['User', 'Group', 'CapabilityBoundingSet', 'SystemCallFilter', 'AssertPathExists'])
      expect(valuesOf(text, key), key).toEqual(valuesOf(own, key));
    expect(readdirSync(root.path('run')).concat(readdirSync(root.path('run/systemd/system')))).toEqual([
      'systemd',
      'other.service',
    ]);
  });

  test('starts, stops and removes nothing else', async () => {
    install(unit);
    root.write({
      [`etc/systemd/system/${unit}.d/own.conf`]: `[Unit]
Wants=a.service
Conflicts = b.service
OnFailure=c.service
[Service]
ExecStartPre=/bin/touch /d
ExecStopPost=/bin/rm /e
`,
    });
    await checkUnits();
    expect(started().text).not.toMatch(/[abc]\.service|\/bin\/(touch|rm)/);
  });

  test('has the drop-ins of the unit, and ends in an error where it does', async () => {
    install(unit);
    root.write({
      refused: '',
      [`etc/systemd/system/${unit}.d/own.conf`]: `[Service]
ExecStart=
ExecStart=/usr/bin/xen-exporter \\
  --log.level=debug \\
  $ARGS
`,
    });
    await expect(checkUnits()).rejects.toThrow('what it says');
    const commands = valuesOf(started().text, 'ExecStart').map((command) => command.replaceAll(/\s+/g, ' '));
    expect(commands.at(-1)).toBe('/usr/bin/xen-exporter --log.level=debug $ARGS --config.check');
    expect(commands.at(-2)).toBe('');
  });

  test('has credentials of its own, where flags name those of the unit', async () => {
    const flags = root.path('defaults');
    root.write({
      defaults: `ARGS="--web.config.file=/run/credentials/${unit}/web.yml"\n`,
      [`usr/lib/systemd/system/${unit}`]: readFileSync(join(units, unit), 'utf8').replace(
        '-/etc/default/xen-exporter',
        `-${flags}`,
      ),
      [`etc/systemd/system/${unit}.d/own.conf`]: `[Service]
LoadCredential=web.yml:/etc/xen-exporter/web.yml
Environment=CONFIG=/run/credentials/${unit}/config.yml
`,
    });
    await checkUnits();
    const { name, text } = started();
    expect(valuesOf(text, 'LoadCredential')).toEqual(['web.yml:/etc/xen-exporter/web.yml']);
    expect(valuesOf(text, 'Environment')).toContain(`CONFIG=/run/credentials/${name}/config.yml`);
    const [file] = valuesOf(text, 'EnvironmentFile');
    expect(file).toMatch(/^-.*\/run\/xen-exporter-check-\d+-xen-exporter\.1$/);
    expect(readFileSync(file!.slice(1).replace('/run/', '/seen/'), 'utf8')).toBe(
      `ARGS="--web.config.file=/run/credentials/${name}/web.yml"\n`,
    );
    // The administrator's files are unchanged.
    expect(readFileSync(flags, 'utf8')).toContain(`/run/credentials/${unit}/`);
  });

  test('is one that systemd understands, of every unit', async () => {
    for (const file of ['xen-exporter.service', 'xen-exporter-dom0.service', 'xen-exporter-helper.service']) {
      // The script considers this machine a guest.
      root.write({ [`usr/lib/systemd/system/${unit}`]: readFileSync(join(units, file), 'utf8') });
      await checkUnits();
      const { name, text } = started();
      const { stdout, stderr } = await toolSays('systemd-analyze', [
        'verify',
        root.path(`seen/systemd/system/${name}`),
      ]);
      const lines = `${stdout}${stderr}`.split('\n').filter((line) => line.includes('xen-exporter'));
      expect(lines.filter((line) => !/Command \/usr\/bin\/xen-exporter is not executable/.test(line))).toEqual([]);
      expect(text).toMatch(/^ExecStart=.* --config\.check$/m);
      rmSync(root.path('seen'), { recursive: true });
    }
  });
});

test('without root it says what it needs', async () => {
  install(unit);
  root.writeScript('stubs/id', 'echo 1000');
  await expect(checkUnits()).rejects.toThrow('check-units: needs root');
});
