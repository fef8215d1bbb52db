import { setTimeout } from 'node:timers/promises';
import { registry } from '../collectors/registry.ts';
import { readFileOf } from '../config/config-file.ts';
import { someOptions } from '../config/global-options.ts';
import {
  numberOption,
  pathOption,
  switchOption,
  textListOption,
  textOption,
  type OptionValues,
} from '../config/option.ts';
import { resolveFlags, resolveSettings } from '../config/resolve-settings.ts';
import { settingsOf } from '../config/settings.ts';
import { UsageError } from '../config/usage-error.ts';
import { compiledPack } from '../diagnosis/compiled-pack.ts';
import { verdictJson } from '../diagnosis/json.ts';
import { inColour, overviewText, plain, verdictText } from '../diagnosis/text.ts';
import type { Status, Verdict } from '../diagnosis/verdict.ts';
import { createLog } from '../host/log.ts';
import { print, type Command, type Given } from './command.ts';
import { LiveScreen } from './live-screen.ts';
import { openMachine } from './machine.ts';
import { parsePeer, readTargetsFile, type Peer, type PeerAccess } from './peers.ts';
import { localProblems, localSource, peerSource, Rounds } from './rounds.ts';

/** How often the exporters are read. */
const intervalSeconds = 2;
const passwordVariable = 'XEN_EXPORTER_PASSWORD';

const peersOption = (help: string) =>
  textListOption({
    help,
    default: [],
    metavar: 'ADDRESS',
    expected: 'HOST, HOST:PORT or a URL of http or https',
    holds: (text) => parsePeer(text, false) !== undefined,
  });

const options = {
  for: numberOption({
    help: 'Seconds to watch before the verdict.',
    default: 30,
    metavar: 'SECONDS',
    min: 5,
    max: 3600,
    whole: true,
  }),
  host: peersOption('Exporter of a Dom0 or driver domain, read instead of this machine. Repeatable.'),
  guest: peersOption('Exporter in a guest, read instead of this machine. Repeatable.'),
  targets: pathOption({
    help: 'File of exporters to read, as file_sd of Prometheus has it. Targets with the label xen_role="host" are hosts.',
    default: undefined,
    mayBeRelative: true,
  }),
  user: textOption({
    help: `User name for exporters that ask for one. The password is in --password-file, or in the environment variable ${passwordVariable}.`,
    default: '',
    metavar: 'NAME',
    expected: 'a name without a colon',
    holds: (text) => !text.includes(':'),
  }),
  'password-file': pathOption({
    help: 'File with the password on its first line.',
    default: undefined,
    mayBeRelative: true,
  }),
  'tls.ca-file': pathOption({
    help: 'Certificates of the authorities that sign the certificates of exporters, as PEM.',
    default: undefined,
    mayBeRelative: true,
  }),
  'tls.cert-file': pathOption({ help: 'Own certificate, as PEM.', default: undefined, mayBeRelative: true }),
  'tls.key-file': pathOption({ help: 'Key of the own certificate, as PEM.', default: undefined, mayBeRelative: true }),
  json: switchOption({ help: 'Print JSON, which docs/doctor.md describes.', default: false }),
  watch: switchOption({ help: 'Show the verdict again and again, until q or Ctrl-C.', default: false }),
  ...someOptions([
    'path.procfs',
    'path.sysfs',
    'path.tools',
    'privileged-reads',
    'helper.socket',
    'collector.listeners.namespaces',
  ]),
};

type Values = OptionValues<typeof options>;

/** Exit statuses of monitoring plugins. */
const exitStatus: Readonly<Record<Status, number>> = { ok: 0, warning: 1, critical: 2, unknown: 3 };

const contentOf = (flag: string, path: string): string => readFileOf(`${flag}=${path}`, path);

const accessOf = (values: Values): PeerAccess => {
  const passwordFile = values['password-file'];
  const password =
    passwordFile === undefined
      ? process.env[passwordVariable]
      : contentOf('password-file', passwordFile).split('\n', 1)[0]!.replace(/\r$/, '');
  if (values.user !== '' && password === undefined)
    throw new UsageError(`--user=${values.user}: expected a password in --password-file or ${passwordVariable}`);
  const files = { ca: 'tls.ca-file', cert: 'tls.cert-file', key: 'tls.key-file' } as const;
  const tls = Object.fromEntries(
    Object.entries(files).flatMap(([name, flag]) => {
      const path = values[flag];
      return path === undefined ? [] : [[name, contentOf(flag, path)]];
    }),
  );
  if ('cert' in tls !== 'key' in tls)
    throw new UsageError('--tls.cert-file and --tls.key-file: expected both or none of them');
  return { ...(values.user !== '' && { user: values.user }), password, tls };
};

/** The exporters that the user names, each once. */
const peersOf = (values: Values): Peer[] => {
  const all = [
    ...values.host.map((text) => parsePeer(text, true)!),
    ...values.guest.map((text) => parsePeer(text, false)!),
    ...(values.targets === undefined ? [] : readTargetsFile(values.targets)),
  ];
  if (values.targets !== undefined && all.length === 0)
    throw new UsageError(`--targets=${values.targets}: expected at least one target, found none`);
  const byInstance = new Map<string, Peer>();
  for (const peer of all) {
    const known = byInstance.get(peer.instance);
    if (known && known.isHost !== peer.isHost)
      throw new UsageError(`${peer.instance}: expected one role, found it as a host and as a guest`);
    byInstance.set(peer.instance, peer);
  }
  return [...byInstance.values()];
};

/** Replaces the line of progress, if there is a terminal. */
const showProgress = (text: string): void => {
  if (process.stderr.isTTY) process.stderr.write(`\r\u001b[K${text}`);
};

const run = async ({ given, file }: Given): Promise<void> => {
  const values = resolveFlags(options, given);
  const peers = peersOf(values);
  const access = accessOf(values);
  if (values.watch && values.json) throw new UsageError('--watch and --json: expected one of them');
  if (values.watch && !process.stdout.isTTY) throw new UsageError('--watch: expected a terminal on standard output');
  const isLocal = peers.length === 0;
  const settings = resolveSettings(
    registry,
    { given: { 'toolstack.interval': String(intervalSeconds), ...given } },
    file,
  );
  // Problems stand in the verdict.
  const log = createLog({ level: 'error', format: 'logfmt', write: (line) => process.stderr.write(line) });
  const machine = isLocal ? await openMachine(settings, log) : undefined;
  const ended = new AbortController();
  const sources = machine ? [localSource(machine)] : peers.map((peer) => peerSource(peer, access, ended.signal));
  const rounds = new Rounds(await compiledPack(), sources, values.for);
  const paint = process.stdout.isTTY && !process.env['NO_COLOR'] ? inColour : plain;
  const verdict = (): Verdict => rounds.verdict(machine ? localProblems(machine.scraper.status()) : []);
  const stop = new AbortController();
  const end = (): void => stop.abort();
  process.once('SIGINT', end).once('SIGTERM', end);
  const screen = values.watch ? new LiveScreen({ input: process.stdin, output: process.stdout }, end) : undefined;
  machine?.scraper.start();
  try {
    const began = performance.now();
    const elapsed = (): number => (performance.now() - began) / 1e3;
    for (let round = 1; !stop.signal.aborted; round += 1) {
      await rounds.once(intervalSeconds);
      if (screen) screen.draw(overviewText(verdict(), paint));
      else if (elapsed() >= values.for) break;
      else showProgress(`Watching: ${Math.floor(elapsed())} of ${values.for} s`);
      const next = round * intervalSeconds - elapsed();
      await setTimeout(Math.max(0, next) * 1e3, undefined, { signal: stop.signal }).catch(() => {});
    }
    const last = verdict();
    if (!screen) {
      showProgress('');
      print(values.json ? verdictJson(last) : verdictText(last, paint));
    }
    process.exitCode = exitStatus[last.status];
  } finally {
    screen?.[Symbol.dispose]();
    process.off('SIGINT', end).off('SIGTERM', end);
    ended.abort();
    await machine?.scraper.stop();
    machine?.leaveHelper();
    machine?.close();
  }
};

/** `xen-exporter doctor`. */
export const doctor: Command = {
  name: 'doctor',
  description:
    'Watches this machine, or the exporters that --host, --guest and --targets name, for half a minute, and prints which guest suffers, which hop is the cause and which command to run. It changes nothing. Exit status: 0 OK, 1 warning, 2 critical, 3 unknown or wrong usage.',
  readsConfigFile: true,
  settings: settingsOf(options),
  run,
};
