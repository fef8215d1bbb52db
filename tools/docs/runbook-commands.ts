import { withoutBlocks } from './links.ts';

/** A command of a runbook and its machine. */
export interface RunbookCommand {
  machine: 'dom0' | 'guest';
  command: string;
}

/** Steps of a measure in order. */
export const measureSteps = ['Save', 'Do', 'Verify', 'Undo'] as const;

export type MeasureStep = (typeof measureSteps)[number];

/** The only place where a block's commands work; empty for any machine of the lab. */
export const blockPlaces = ['', 'credit', 'credit2', 'rtds', 'hardware', 'systemd', 'containers'] as const;

/** Commands between two fences, which a reader types in sequence. */
export interface RunbookBlock {
  /** Heading of the section; empty above the first one. */
  section: string;
  /** Step of a measure; undefined outside measures. */
  step: MeasureStep | undefined;
  only: string;
  commands: RunbookCommand[];
}

/** The first line of a step: `1. **Save**: ...`, or `**Verify within 30 seconds.** ...`. */
const stepLine = new RegExp(String.raw`^ *(?:\d+\. |[-*] )?\*\*(${measureSteps.join('|')})\b(?! not)[^*]*\*\*`);

const stepOf = (line: string): MeasureStep | undefined => stepLine.exec(line)?.[1] as MeasureStep | undefined;

/** The command blocks of a page, in order. */
export const blocksOf = (page: string): RunbookBlock[] => {
  const blocks: RunbookBlock[] = [];
  let section = '';
  let step: MeasureStep | undefined;
  /** The open block; undefined outside blocks. */
  let block: RunbookBlock | undefined;
  let isOpen = false;
  for (const line of page.split('\n')) {
    const [, language, place = ''] = /^ *```(\w*) ?(\w*)$/.exec(line) ?? [];
    if (language !== undefined) {
      isOpen = !isOpen;
      block = isOpen && language === 'console' ? { section, step, only: place, commands: [] } : undefined;
      if (block) blocks.push(block);
    } else if (block) {
      const [, machine, command] = /^ *(dom0|guest)# (.+)$/.exec(line) ?? [];
      if (command !== undefined) block.commands.push({ machine: machine as RunbookCommand['machine'], command });
    } else if (!isOpen) {
      const [, level, heading] = /^(#+) (.*)$/.exec(line) ?? [];
      if (level !== undefined) step = undefined;
      if (level === '##') section = heading!;
      step = stepOf(line) ?? step;
    }
  }
  return blocks;
};

/** The commands of a page, in order. */
export const commandsOf = (page: string): RunbookCommand[] => blocksOf(page).flatMap(({ commands }) => commands);

/** The steps of all measures of a page, in order. */
export const stepsOf = (page: string): MeasureStep[] =>
  withoutBlocks(page)
    .split('\n')
    .flatMap((line) => stepOf(line) ?? []);

/** The text of a section of a page; empty if there is none. */
export const sectionOf = (page: string, title: string): string =>
  page.split(/^## /m).find((section) => section.startsWith(`${title}\n`)) ?? '';

/** A measure of "Stop the harm". */
export interface RunbookMeasure {
  title: string;
  /** The text between the title and the first step: when to use it, its risk, and who is affected. */
  introduction: string;
  blocks: RunbookBlock[];
}

/** The measures of a page that have commands, in their order. */
export const measuresOf = (page: string): RunbookMeasure[] =>
  sectionOf(page, 'Stop the harm')
    .split(/^### /m)
    .slice(1)
    .map((text) => {
      const lines = text.split('\n');
      const firstStep = lines.findIndex((line) => stepOf(line) !== undefined);
      return {
        title: lines[0]!,
        introduction: lines.slice(1, firstStep).join('\n').trim(),
        blocks: blocksOf(text).filter(({ step }) => step !== undefined),
      };
    })
    .filter(({ blocks }) => blocks.length > 0);

/** The queries of a page. */
export const queriesOf = (page: string): string[] =>
  [...page.matchAll(/^ *```promql\n([^]*?)^ *```$/gm)].map(([, query]) => query!.trim());

/** Values that the reader must supply, written as `<NAME>` in commands. */
export const placeholders = {
  BACKLOG: 'length of an accept queue, in connections',
  BANDWIDTH: 'a rate in the notation of tc, such as 90mbit',
  BDF: 'address of a PCI function, such as 0000:03:10.0',
  BRIDGE: 'name of the bridge that a vif is to join',
  BUDGET: 'microseconds of each period that a vCPU may run, under rtds',
  CAP: 'percent of one CPU; 0 is none',
  CPUS: 'numbers of physical CPUs as xl has them, such as a list or a range',
  DOM0_CPUS: 'the physical CPUs that Dom0 is to have for itself',
  GUEST: 'name of the guest',
  HOST: 'name or address of a machine',
  IFACE: 'name of a network device',
  IRQ: 'number of an interrupt',
  NAMESPACE: 'path of a network namespace',
  NETWORK: 'addresses with their prefix length, such as 192.0.2.0/24',
  PID: 'number of a process',
  PORT: 'TCP port of the listener',
  QUEUES: 'how many queues a vif may have',
  RATE: 'rate of a vif as xenstore has it: bytes,microseconds',
  RING: 'slots of the receive ring of a network card',
  SYNS: 'SYNs a second that are let through',
  UNIT: 'name of a unit of systemd',
  URL: 'address of an exporter, without a path',
  VCPUS: 'how many vCPUs',
  VFS: 'how many virtual functions of a network card',
  WEIGHT: 'weight of a domain, 1 to 65535; the default is 256',
} as const;

export type Placeholder = keyof typeof placeholders;

/** The names of what looks like a placeholder in a command. */
export const placeholdersIn = (command: string): string[] =>
  [...command.matchAll(/<([A-Z][A-Z0-9_]*)>/g)].map(([, name]) => name!);

/** A command with values in the place of its placeholders. Throws if one has none. */
export const substituted = (command: string, values: Readonly<Partial<Record<string, string>>>): string =>
  command.replaceAll(/<([A-Z][A-Z0-9_]*)>/g, (_, name: string) => {
    const value = values[name];
    if (value === undefined) throw new Error(`no value for <${name}> of: ${command}`);
    return value;
  });

/** Commands that only set variables of the shell, as the first one of "First minute" does. */
export const isAssignment = (command: string): boolean => /^[A-Z]\w*=/.test(command);

/** A command with another name for the guest than the one that pages have. */
export const namingGuest = (command: string, name: string): string =>
  command.replaceAll(/(^|[;&|] *)G='[^']*'/g, (_, before: string) => `${before}G='${name}'`);

/** Commands that set the variables of the later commands of a machine. */
export const assignmentsOf = (page: string, machine: RunbookCommand['machine']): string[] =>
  blocksOf(page)
    .filter(({ section }) => section === 'First minute')
    .flatMap(({ commands }) => commands)
    .filter((each) => each.machine === machine && isAssignment(each.command))
    .map(({ command }) => command);
