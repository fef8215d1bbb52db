import { parseXlCpupoolList, type XlCpupool } from '../../formats/xl-cpupool-list.ts';
import { parseXlInfo, type XlInfo } from '../../formats/xl-info.ts';
import { parseXlListLong, type XlDomainConfig } from '../../formats/xl-list-long.ts';
import { parseXlList, type XlDomain } from '../../formats/xl-list.ts';
import { parseXlSched, type XlSchedPool } from '../../formats/xl-sched.ts';
import type { Command } from '../../host/commands.ts';
import type { Host } from '../../host/host.ts';
import { BackgroundReading, readCommand } from '../background-reading.ts';
import type { BackgroundTask } from '../background-task.ts';
import { isDom0 } from '../xen.ts';
import { DomainDirectory } from './domain-directory.ts';

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

/** Readings of xl, Xen's toolstack in Dom0, that several collectors share. */
export interface Xl {
  /** `xl list -v`: which domains there are, and what they are called. */
  readonly domains: BackgroundReading<readonly XlDomain[]>;
  /** `xl list -l`: how they were configured. Scheduled; anew when a domain comes that it does not know. */
  readonly configs: BackgroundReading<readonly XlDomainConfig[]>;
  /** `xl cpupool-list` and `xl sched-*`. As configs. */
  readonly cpupools: BackgroundReading<readonly Cpupool[]>;
  /** `xl info`: the physical machine. Scheduled. */
  readonly info: BackgroundReading<XlInfo>;
  /** Runs another subcommand and parses what it prints. */
  read<Reading>(args: readonly string[], parse: (stdout: string) => Reading): Promise<Reading>;
}

// `xl list -l` prints two or three KiB for each guest.
const maxBytes = 8 << 20;
// The schedulers for which xl has a subcommand (xl_cmdtable.c); its own output is the only thing to go by, for each prints nothing and exits
// with 0 where no pool uses its scheduler.
const schedulersOfXl = ['credit', 'credit2', 'rtds'] as const;

const missing = (host: Host): string => {
  if (isDom0(host) !== true) return 'only Dom0 can ask the toolstack, and this is not Dom0';
  return 'there is no xl on the PATH or in /usr/lib/xen-*/bin (--path.xl)';
};

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
    return [...this.#tries.values()].some((tries) => tries <= maxTries);
  }
}

/** Xen's toolstack as this machine has it: the one source of domains' names. */
export class Toolstack {
  /** In words why not, where xl cannot be asked here. */
  readonly xl: Xl | string;
  readonly directory: DomainDirectory;
  /** Cadence of what collectors read from the toolstack themselves. */
  readonly guarded: BackgroundTask['every'];
  readonly scheduled: BackgroundTask['every'];
  readonly #host: Host;
  readonly #settings: ToolstackSettings;

  constructor(host: Host, settings: ToolstackSettings) {
    this.#host = host;
    this.#settings = settings;
    this.guarded = { seconds: settings.intervalSeconds };
    this.scheduled = { cron: settings.schedule };
    const program = isDom0(host) === true ? host.commands.find('xl') : undefined;
    this.xl = program === undefined ? missing(host) : this.#createXl(program);
    this.directory = new DomainDirectory(typeof this.xl === 'string' ? undefined : this.xl.domains);
  }

  /** The tasks that keep names up to date, for collectors that label devices. */
  get naming(): BackgroundTask[] {
    return typeof this.xl === 'string' ? [] : [this.xl.domains];
  }

  /** A command of the toolstack, with its limits. `name` is what metrics call it. */
  command(name: string, file: string, args: readonly string[]): Command {
    return { name, file, args, timeoutSeconds: this.#settings.timeoutSeconds, maxBytes };
  }

  #createXl(program: string): Xl {
    const { commands, clock } = this.#host;
    const read: Xl['read'] = (args, parse) =>
      readCommand(commands, this.command(`xl ${args.join(' ')}`, program, args), parse);

    const readCpupools = async (): Promise<Cpupool[]> => {
      const pools = await read(['cpupool-list'], parseXlCpupoolList);
      const parameters = new Map<string, XlSchedPool>();
      for (const scheduler of schedulersOfXl) {
        if (!pools.some((pool) => pool.scheduler === scheduler)) continue;
        for (const pool of await read([`sched-${scheduler}`], parseXlSched)) parameters.set(pool.name, pool);
      }
      return pools.map((pool) => ({ ...pool, parameters: parameters.get(pool.name) }));
    };

    const configs = new BackgroundReading({
      every: this.scheduled,
      clock,
      read: () => read(['list', '-l'], parseXlListLong),
    });
    const cpupools = new BackgroundReading({ every: this.scheduled, clock, read: readCpupools });
    const info = new BackgroundReading({ every: this.scheduled, clock, read: () => read(['info'], parseXlInfo) });
    const newcomers = new Newcomers();
    const domains = new BackgroundReading<readonly XlDomain[]>({
      every: this.guarded,
      clock,
      read: async () => {
        const reading = await read(['list', '-v'], parseXlList);
        if (newcomers.areIn(reading, configs.last)) [configs, cpupools].forEach((inventory) => inventory.refresh());
        return reading;
      },
    });
    return { domains, configs, cpupools, info, read };
  }
}
