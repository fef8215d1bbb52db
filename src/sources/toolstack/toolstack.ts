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

/** How often the toolstack is asked, and for how long it may think. */
export interface ToolstackSettings {
  /** Seconds between two readings of what changes all the time. */
  readonly intervalSeconds: number;
  /** Cron pattern for the inventory, which changes seldom. */
  readonly schedule: string;
  readonly timeoutSeconds: number;
}

/** A cpupool, and what `xl sched-*` says of its scheduler and domains; `parameters` undefined where it says nothing (null, arinc653). */
export interface Cpupool extends XlCpupool {
  readonly parameters: XlSchedPool | undefined;
}

/** Doubts a reading of a command that lacks domains which xl listed before and lists now. */
export type DomainCheck = (
  command: string,
  found: readonly { readonly domid: number }[],
  doubt: Doubt,
) => Promise<void>;

/** Readings of xl, Xen's toolstack in Dom0, that several collectors share. */
export interface Xl extends DomainLists {
  /** `xl cpupool-list` and `xl sched-*`. As configs. */
  readonly cpupools: BackgroundReading<readonly Cpupool[]>;
  /** `xl info`: the physical machine. Scheduled. */
  readonly info: BackgroundReading<XlInfo>;
  /** Runs another subcommand and parses what it prints, as `readCommand` does. */
  read<Reading>(
    args: readonly string[],
    parse: (stdout: string, skip: Skip) => Reading,
    doubt: Doubt,
    harmless?: readonly RegExp[],
  ): Promise<Reading>;
  /** Takes the domains that `xl list` has now, for `DomainCheck`. */
  expectDomains(): DomainCheck;
}

// Messages of every xl command about its own configuration (tools/xl/xl.c, main and parse_global_config).
const ofXlConf = [
  /^Failed to read config file: /,
  /^the global config option \S+ is deprecated/,
  /^invalid (?:autoballoon option|default output format "[^"]*")$/,
];

// Other toolstacks than xl store no configuration of their domains, and nobody stores one of a stub domain: libxl complains of each, every time
// (libxl_domain.c, retrieve_domain_configuration_lock_acquired; libxl.c before Xen 4.9). A domain that had one is missed by `DomainCheck`. Before Xen 4.5 xl
// parses each domain's file again, and warns of what it passes over in it (xl_cmdimpl.c, parse_config_data).
const ofMissingConfigs = [/fail to get domain configuration/i, /^WARNING: /];

// `xl list -l` prints two or three KiB for each guest.
const maxBytes = 8 << 20;
// The schedulers for which xl has a subcommand (xl_cmdtable.c); its own output is the only thing to go by, for each prints nothing and exits
// with 0 where no pool uses its scheduler.
const schedulersOfXl = ['credit', 'credit2', 'rtds'] as const;

/** Whether each list of domains should have it: not one that is being built, or that is dying and may be gone before the next command. */
const isSettled = ({ states, onlineVcpus }: XlDomain): boolean => !states.dying && onlineVcpus > 0;

const xlProgram = (host: Host): string | Unavailable =>
  isDom0(host) === true
    ? xenProgram(host.commands, 'xl')
    : new Unavailable('only Dom0 can ask the toolstack, and this is not Dom0');

// A domain's configuration is stored when xl has created it, up to half a minute after it is first listed; other toolstacks store none.
const maxTries = 10;

/** Tells when the inventory should be read ahead of time: domains are listed that it does not know. */
class Newcomers {
  #tries = new Map<number, number>();

  areIn(domains: readonly XlDomain[], configs: readonly XlDomainConfig[] | undefined): boolean {
    if (configs === undefined) return false;
    const known = new Set(configs.map(({ domid }) => domid));
    const unknown = domains.filter(({ domid }) => !known.has(domid));
    this.#tries = new Map(unknown.map(({ domid }) => [domid, (this.#tries.get(domid) ?? 0) + 1]));
    return [...this.#tries.keys()].some((domid) => this.isAwaited(domid));
  }

  /** Whether the inventory is still read ahead of time for this domain. */
  isAwaited(domid: number): boolean {
    return (this.#tries.get(domid) ?? Infinity) <= maxTries;
  }
}

/** Readings that are taken again before their time, once each, when xl answers again after they failed. */
class Retries {
  readonly #readings: BackgroundReading<unknown>[] = [];
  readonly #retried = new Set<BackgroundReading<unknown>>();

  add(reading: BackgroundReading<unknown>): void {
    this.#readings.push(reading);
  }

  /** xl has answered: whatever failed is read again at once. What fails once more waits for its own time, for as long as xl answers. */
  onAnswer(): void {
    for (const reading of this.#readings) {
      if (!reading.hasFailed) this.#retried.delete(reading);
      else if (!this.#retried.has(reading)) {
        this.#retried.add(reading);
        reading.refresh();
      }
    }
  }

  /** xl has not answered: once it does, all that failed is worth another attempt. */
  onFailure(): void {
    this.#retried.clear();
  }
}

/** Xen's toolstack as this machine has it: the one source of domains' names. */
export class Toolstack {
  readonly xl: Xl | Unavailable;
  readonly directory: DomainDirectory;
  /** When collectors read what they ask of the toolstack themselves. */
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

  /** The tasks that keep names up to date, for collectors that label devices. */
  get naming(): BackgroundTask[] {
    return this.xl instanceof Unavailable ? [] : [this.xl.domains, this.xl.configs];
  }

  /** A reading of the toolstack in the background, which is taken again at once when it has failed and xl answers again. */
  reading<Reading>(
    name: string,
    every: BackgroundTask['every'],
    read: (doubt: Doubt) => Promise<Reading>,
  ): BackgroundReading<Reading> {
    const reading = new BackgroundReading({ name, every, clock: this.#host.clock, read });
    this.#retries.add(reading);
    return reading;
  }

  /** A command of the toolstack, with its limits. `name` is what metrics call it. */
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
    /** The domains that xl still lists. Others may have ended since. */
    const stillListed = async (suspects: readonly { readonly domid: number }[]): Promise<number[]> => {
      const now = (await read(['list', '-v'], parseXlList, () => {})).filter(isSettled);
      const domids = new Set(now.map(({ domid }) => domid));
      return suspects.flatMap(({ domid }) => (domids.has(domid) ? [domid] : []));
    };
    /** Before the first list, those of the list that has come when the check is made. */
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
        // xl has no list of the domains of other schedulers, so which of these are missing is not known, but how many.
        const count = known.reduce((sum, pool) => sum + pool.domains, 0);
        if (found.length < count) doubt(`xl sched-*: expected ${count} domains, found ${found.length}`);
      }
      return pools.map((pool) => ({ ...pool, parameters: parameters.get(pool.name) }));
    };

    const configs: Xl['configs'] = this.reading('xl list -l', this.scheduled, async (doubt) => {
      // Not every domain has a configuration, but one that had it keeps it.
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
