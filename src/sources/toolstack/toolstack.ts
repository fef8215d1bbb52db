import { xenProgram } from '../programs.ts';
import { Unavailable } from '../../host/unavailable.ts';
import { parseXlCpupoolList, type XlCpupool } from '../../formats/xl-cpupool-list.ts';
import { parseXlInfo, type XlInfo } from '../../formats/xl-info.ts';
import { parseXlListLong, type XlDomainConfig } from '../../formats/xl-list-long.ts';
import { parseXlList, type XlDomain } from '../../formats/xl-list.ts';
import { joinNames } from '../../formats/xl-rows.ts';
import { parseXlSched, type XlSchedPool } from '../../formats/xl-sched.ts';
import type { Skip } from '../../formats/parse-error.ts';
import type { Command } from '../../host/commands.ts';
import type { Host } from '../../host/host.ts';
import { BackgroundReading, readCommand, type Doubt } from '../background-reading.ts';
import type { BackgroundTask } from '../background-task.ts';
import { isDom0 } from '../xen.ts';
import { DomainDirectory, type DomainLists } from './domain-directory.ts';

/** How often to query the toolstack, and its timeout. */
export interface ToolstackSettings {
  /** Seconds between two readings of frequently changing data. */
  readonly intervalSeconds: number;
  /** Cron pattern of the inventory, which seldom changes. */
  readonly schedule: string;
  readonly timeoutSeconds: number;
}

/** A cpupool with the output of `xl sched-*`. `parameters` is undefined for schedulers without it (null, arinc653). */
export interface Cpupool extends XlCpupool {
  readonly parameters: XlSchedPool | undefined;
}

/** Doubts a reading that lacks domains which xl listed before and after it. */
export type DomainCheck = (
  command: string,
  found: readonly { readonly domid: number }[],
  doubt: Doubt,
) => Promise<void>;

/** Shared readings of xl, Xen's toolstack in Dom0. */
export interface Xl extends DomainLists {
  /** `xl cpupool-list` and `xl sched-*`. Same schedule as configs. */
  readonly cpupools: BackgroundReading<readonly Cpupool[]>;
  /** `xl info`: the physical machine. Scheduled. */
  readonly info: BackgroundReading<XlInfo>;
  /** Runs another subcommand and parses its output like `readCommand`. */
  read<Reading>(
    args: readonly string[],
    parse: (stdout: string, skip: Skip) => Reading,
    doubt: Doubt,
    harmless?: readonly RegExp[],
  ): Promise<Reading>;
  /** Takes the domains that `xl list` shows now, for `DomainCheck`. */
  expectDomains(): DomainCheck;
}

// Messages that every xl command may print about its own configuration (tools/xl/xl.c, main and parse_global_config).
const ofXlConf = [
  /^Failed to read config file: /,
  /^the global config option \S+ is deprecated/,
  /^invalid (?:autoballoon option|default output format "[^"]*")$/,
];

// Other toolstacks than xl store no configurations, and stub domains never have one. libxl complains about each, every
// time (libxl_domain.c, retrieve_domain_configuration_lock_acquired; libxl.c before Xen 4.9). `DomainCheck` notices if
// a known configuration is missing. Before Xen 4.5 xl parses each domain's file again and warns of ignored parts
// (xl_cmdimpl.c, parse_config_data).
const ofMissingConfigs = [/fail to get domain configuration/i, /^WARNING: /];

// `xl list -l` prints two or three KiB per guest.
const maxBytes = 8 << 20;
// Schedulers with an xl subcommand (xl_cmdtable.c). All are run, because a subcommand prints nothing and exits with 0
// if no pool uses its scheduler.
const schedulersOfXl = ['credit', 'credit2', 'rtds'] as const;

/**
 * Whether every list should contain the domain. Not while it is being built, nor while it is dying and may disappear
 * before the next command.
 */
const isSettled = ({ states, onlineVcpus }: XlDomain): boolean => !states.dying && onlineVcpus > 0;

const xlProgram = (host: Host): string | Unavailable =>
  isDom0(host) === true
    ? xenProgram(host.commands, 'xl')
    : new Unavailable('only Dom0 can ask the toolstack, and this is not Dom0');

// xl stores a domain's configuration up to half a minute after the domain is first listed. Other toolstacks store none.
const maxTries = 10;

/** Detects when to read the inventory early: xl lists domains that it lacks. */
class Newcomers {
  #tries = new Map<number, number>();

  areIn(domains: readonly XlDomain[], configs: readonly XlDomainConfig[] | undefined): boolean {
    if (configs === undefined) return false;
    const known = new Set(configs.map(({ domid }) => domid));
    const unknown = domains.filter(({ domid }) => !known.has(domid));
    this.#tries = new Map(unknown.map(({ domid }) => [domid, (this.#tries.get(domid) ?? 0) + 1]));
    return [...this.#tries.keys()].some((domid) => this.isAwaited(domid));
  }

  /** Whether the inventory is still read early for this domain. */
  isAwaited(domid: number): boolean {
    return (this.#tries.get(domid) ?? Infinity) <= maxTries;
  }
}

/** Failed readings that are retried once, ahead of time, when xl answers again. */
class Retries {
  readonly #readings: BackgroundReading<unknown>[] = [];
  readonly #retried = new Set<BackgroundReading<unknown>>();

  add(reading: BackgroundReading<unknown>): void {
    this.#readings.push(reading);
  }

  /**
   * xl has answered: retry failed readings now. A reading that fails again waits for its schedule while xl keeps
   * answering.
   */
  onAnswer(): void {
    for (const reading of this.#readings) {
      if (!reading.hasFailed) this.#retried.delete(reading);
      else if (!this.#retried.has(reading)) {
        this.#retried.add(reading);
        reading.refresh();
      }
    }
  }

  /** xl has not answered. When it does, all failed readings are worth a retry. */
  onFailure(): void {
    this.#retried.clear();
  }
}

/** Xen's toolstack on this machine: the only source of domain names. */
export class Toolstack {
  readonly xl: Xl | Unavailable;
  readonly directory: DomainDirectory;
  /** Schedule of toolstack readings that belong to a single collector. */
  readonly guarded: BackgroundTask['every'];
  readonly scheduled: BackgroundTask['every'];
  readonly #host: Host;
  readonly #settings: ToolstackSettings;
  readonly #retries = new Retries();

  constructor(host: Host, settings: ToolstackSettings) {
    this.#host = host;
    this.#settings = settings;
    this.guarded = { seconds: settings.intervalSeconds };
    this.scheduled = { cron: settings.schedule };
    const program = xlProgram(host);
    this.xl = program instanceof Unavailable ? program : this.#createXl(program);
    this.directory = new DomainDirectory(this.xl instanceof Unavailable ? undefined : this.xl);
  }

  /** Tasks that keep names current, for collectors that label devices. */
  get naming(): BackgroundTask[] {
    return this.xl instanceof Unavailable ? [] : [this.xl.domains, this.xl.configs];
  }

  /** A background reading of the toolstack. After a failure it is retried as soon as xl answers. */
  reading<Reading>(
    name: string,
    every: BackgroundTask['every'],
    read: (doubt: Doubt) => Promise<Reading>,
  ): BackgroundReading<Reading> {
    const reading = new BackgroundReading({ name, every, clock: this.#host.clock, read });
    this.#retries.add(reading);
    return reading;
  }

  /** A toolstack command with its limits. `name` is its name in metrics. */
  command(name: string, file: string, args: readonly string[]): Command {
    return { name, file, args, timeoutSeconds: this.#settings.timeoutSeconds, maxBytes };
  }

  #createXl(program: string): Xl {
    const { commands, clock } = this.#host;
    const read: Xl['read'] = (args, parse, doubt, harmless = []) => {
      const command = this.command(`xl ${args.join(' ')}`, program, args);
      const parseJoined = (stdout: string, skip: Skip) => parse(joinNames(stdout, configs.last ?? []), skip);
      return readCommand(commands, command, parseJoined, doubt, [...ofXlConf, ...harmless]);
    };
    const listed = (): readonly XlDomain[] => (domains.last ?? []).filter(isSettled);
    /** The domains that xl still lists. Others may have ended meanwhile. */
    const stillListed = async (suspects: readonly { readonly domid: number }[]): Promise<number[]> => {
      const now = (await read(['list', '-v'], parseXlList, () => {})).filter(isSettled);
      const domids = new Set(now.map(({ domid }) => domid));
      return suspects.flatMap(({ domid }) => (domids.has(domid) ? [domid] : []));
    };
    /** Before the first list, expects the domains of the list available at the time of the check. */
    const expect = (expected: readonly { readonly domid: number }[] | undefined): DomainCheck => {
      return async (command, found, doubt) => {
        const present = new Set(found.map(({ domid }) => domid));
        const suspects = (expected ?? listed()).filter(({ domid }) => !present.has(domid));
        const missing = suspects.length === 0 ? [] : await stillListed(suspects);
        if (missing.length > 0)
          doubt(`${command}: expected all domains of xl list, found nothing of domid ${missing.join(', ')}`);
      };
    };
    const expectDomains = (): DomainCheck => expect(domains.last && listed());

    const readCpupools = async (doubt: Doubt): Promise<Cpupool[]> => {
      const check = expectDomains();
      const pools = await read(['cpupool-list'], parseXlCpupoolList, doubt);
      const parameters = new Map<string, XlSchedPool>();
      for (const scheduler of schedulersOfXl) {
        if (!pools.some((pool) => pool.scheduler === scheduler)) continue;
        for (const pool of await read([`sched-${scheduler}`], parseXlSched, doubt)) parameters.set(pool.name, pool);
      }
      const found = [...parameters.values()].flatMap((pool) => pool.domains);
      const known = pools.filter(({ scheduler }) => schedulersOfXl.some((each) => each === scheduler));
      for (const { name, scheduler } of known) {
        if (!parameters.has(name)) doubt(`xl sched-${scheduler}: expected cpupool ${name}, found nothing of it`);
      }
      if (known.length === pools.length) await check('xl sched-*', found, doubt);
      else {
        // xl does not list the domains of other schedulers, so only the number of missing domains is known.
        const count = known.reduce((sum, pool) => sum + pool.domains, 0);
        if (found.length < count) doubt(`xl sched-*: expected ${count} domains, found ${found.length}`);
      }
      return pools.map((pool) => ({ ...pool, parameters: parameters.get(pool.name) }));
    };

    const configs: Xl['configs'] = this.reading('xl list -l', this.scheduled, async (doubt) => {
      // Not every domain has a configuration, but a domain that had one keeps it.
      const check = expect(configs.last ?? []);
      const reading = await read(['list', '-l'], parseXlListLong, doubt, ofMissingConfigs);
      await check('xl list -l', reading, doubt);
      return reading;
    });
    const cpupools = this.reading('xl cpupool-list', this.scheduled, readCpupools);
    const info = this.reading('xl info', this.scheduled, (doubt) => read(['info'], parseXlInfo, doubt));
    const newcomers = new Newcomers();
    const domains = new BackgroundReading<readonly XlDomain[]>({
      name: 'xl list -v',
      every: this.guarded,
      clock,
      read: async (doubt) => {
        const reading = await read(['list', '-v'], parseXlList, doubt).catch((error: unknown) => {
          this.#retries.onFailure();
          throw error;
        });
        this.#retries.onAnswer();
        if (newcomers.areIn(reading, configs.last)) [configs, cpupools].forEach((inventory) => inventory.refresh());
        return reading;
      },
    });
    const isAwaited = (domid: number): boolean =>
      configs.last === undefined ? !configs.hasFailed : newcomers.isAwaited(domid);
    return { domains, configs, isAwaited, cpupools, info, read, expectDomains };
  }
}
