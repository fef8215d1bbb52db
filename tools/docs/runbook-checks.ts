import {
  assignmentsOf,
  blockPlaces,
  blocksOf,
  isAssignment,
  measureSteps,
  placeholders,
  placeholdersIn,
  sectionOf,
  stepsOf,
  type RunbookBlock,
  type RunbookCommand,
} from './runbook-commands.ts';
import { runbookSections } from './runbooks.ts';

/** Text of a command without placeholders, and without what single quotes hold unless a shell runs it: programs of grep, sed and awk. */
const programOf = (command: string): string => {
  const text = command.replaceAll(/<[A-Z][A-Z0-9_]*>/g, 'VALUE');
  return /\bsh -c\b/.test(text) ? text : text.replaceAll(/'[^']*'/g, "''");
};

/** A program by its name, which is no part of a path, an option or another word, and what follows it. */
const program = (pattern: string): RegExp => new RegExp(String.raw`(?<![\w./-])(?:${pattern})`);

/** Folders of the reader's own files, such as what Save writes. */
const own = String.raw`/(?:run|tmp|root)/`;

/** Parts of commands that change a machine. */
const changing: readonly RegExp[] = [
  program(
    String.raw`xl +(?:vcpu-pin|vcpu-set|cpupool-(?!list)\w+|\w+-(?:attach|detach)|pci-assignable-(?!list)\w+|create|config-update|destroy|shutdown|reboot|pause|unpause|rename|migrate|save|restore|suspend|resume|mem-\w+|debug-keys|sysrq|trigger|set-parameters|dmesg +-c)\b`,
  ),
  // The pool (-p) and the domain (-d) are what a look at a scheduler can be of.
  program(String.raw`xl +"?sched-[^;|&]*\s-[wctrmbe]\b`),
  program(String.raw`xe +(?:\w+-)+(?:set|add|remove|clear|plug|unplug|create|destroy|enable|disable|hotplug|reboot)\b`),
  program(String.raw`(?:modprobe|rmmod|insmod|depmod)\b`),
  program(String.raw`sysctl\b[^;|]* (?:-w|--write|-p|--load|--system)\b`),
  program(String.raw`sysctl\b[^;|]* [\w.]+=`),
  program(
    String.raw`ip +(?:-\S+ +)*(?:link|addr|address|route|rule|neigh|netns) +(?:set|add|del|delete|change|replace|flush|append)\b`,
  ),
  program(
    String.raw`tc +(?:-\S+ +)*(?:qdisc|class|filter|chain|action) +(?:add|del|delete|change|replace|link|flush)\b`,
  ),
  program(String.raw`bridge +(?:fdb|vlan|link|mdb) +(?:set|add|del|append|replace)\b`),
  program(String.raw`ethtool +(?:-[ACEGKLNUWXfprst]|--(?:set|change|reset|config|features|offload)\S*)\b`),
  program(String.raw`ip6?tables\b[^;|]* -[ADIRFXPNZE]\b`),
  program(String.raw`nft +(?:-f|(?:add|create|insert|delete|destroy|flush|replace|reset))\b`),
  program(String.raw`ovs-(?:vsctl|ofctl) +(?:-\S+ +)*(?:set|add|del|clear|remove|mod)\b`),
  program(
    String.raw`systemctl +(?:-\S+ +)*(?:start|stop|(?:try-)?(?:reload-or-)?restart|reload|kill|enable|disable|reenable|mask|unmask|edit|revert|set-property|daemon-re\w+|reset-failed|isolate)\b`,
  ),
  program(String.raw`service +\S+ +(?:start|stop|restart|reload)\b`),
  program(String.raw`(?:kill|pkill|killall|skill)\b(?! +-(?:0|l)\b)`),
  program(String.raw`renice\b|prlimit\b[^;|]* --\w+=`),
  program(String.raw`chrt +(?:-\w+ +)*-\w*p\w* +[^\s;|&]+ +["'$\w]`),
  // With CPUs before the process; `taskset -pc 322` only reads.
  program(String.raw`taskset +(?:-\S+ +)*-\w*p\w* +[^\s;|&]+ +["'$\w]`),
  program(String.raw`xenstore(?:-| +)(?:write|rm|chmod)\b`),
  program(String.raw`xenhypfs +(?:-\S+ +)*write\b|xenpm +(?:set|enable|disable)-|xen-livepatch +\w*load`),
  program(
    String.raw`(?:rm|rmdir|mv|cp|ln|tee|touch|truncate|chmod|chown|install|mkdir|umount|dd|mount +[^\s|])\b(?![^;|&]*\s${own}\S*\s*(?:$|[;|&)}]))`,
  ),
  program(String.raw`sed +(?:-\S+ +)*(?:-\w*i\b|--in-place)`),
  program(
    String.raw`(?:apt|apt-get|dpkg|yum|dnf|rpm) +(?:-\S+ +)*(?:install|remove|purge|update|upgrade|-i|-P|-r|-U|-e)\b`,
  ),
  program(String.raw`(?:reboot|poweroff|halt|shutdown|update-grub|update-initramfs)\b`),
  // What is written to.
  new RegExp(String.raw`(?<![<>=&\d-])\d?>{1,2}\|? *(?!${own}|/dev/null|&\d|&-|[>|\s]|$)`),
  new RegExp(String.raw`&> *(?!${own}|/dev/null)`),
];

/** Whether a command changes a machine, as far as a list of verbs can tell; files of the reader's own are no change. */
export const changes = (command: string): boolean => {
  const text = programOf(command);
  return changing.some((pattern) => pattern.test(text));
};

/** Numbers of CPUs of one machine; another has others. */
export const namesCpus = (command: string): boolean =>
  [
    // A range, but not of characters, as [0-9] is, and no part of a name.
    /(?<![\w.[:-])\d+-\d+(?![\w.\]:-])/,
    /\bvcpu-pin +\S+ +\S+ +(?:\S+ +)?["']?\d/,
    /\bcpupool-cpu-(?:add|remove) +\S+ +["']?\d/,
    /\bcpus(?:_soft)?\s*=\s*[["'\\]*\d/,
    /\btaskset +(?:-\S+ +)*-\w*p\w* +["']?\d[\d,]*["']? +\S/,
    /\becho +["']?[\da-f,]+["']? *>+ *\S*(?:smp_affinity|rps_cpus|xps_cpus)/,
    /\/cpu\d+\//,
  ].some((pattern) => pattern.test(command));

/** A table of domains that is cut into words from the left, where the name stands. */
const cutsNames = (command: string): boolean =>
  /\bxl +(?:list(?! +-\w*l)|vcpu-list|vm-list|"?sched-)[^;|]*\| *(?:awk[^;|]*\$[1-9]|cut\b|while +read\b|xargs\b)/.test(
    command,
  );

/** The domain of subcommands of xl with which Dom0 would be changed, ended, or shown for the guest. */
const domainOfXl =
  /\bxl +(?:(?:vcpu-pin|vcpu-set|cpupool-migrate|\w+-attach|\w+-detach|destroy|shutdown|reboot|pause|mem-set|mem-max|save|migrate) +(?:-\S+ +)*|"?sched-[^;|&]*?\s-d +)(?<domain>[^\s;|&)]+)/g;

/** xl reads an empty name as domain 0. */
const mayTakeDom0 = (command: string): boolean =>
  [...command.matchAll(domainOfXl)].some(
    ({ groups }) => /\$\{?[GD]\b/.test(groups!['domain']!) && !/^"?\$\{[GD]:\?\}"?$/.test(groups!['domain']!),
  );

const withoutStrings = (command: string): string => command.replaceAll(/'[^']*'|"(?:[^"\\]|\\.)*"/g, '""');

/**
 * Whether the shell would run a part of a command whose placeholders nobody has replaced. Bare ones are redirections: `<A> b` reads a file A and
 * writes a file b, but `<A>` before the end or an operator is an error of syntax, at which the shell refuses the whole line.
 */
export const isHalfRun = (command: string): boolean => {
  const text = withoutStrings(command);
  return placeholdersIn(text).length > 0 && !/<[A-Z][A-Z0-9_]*>\s*(?:$|[;|&)<>])/.test(text);
};

const faultsOfCommand = ({ section, step, only }: RunbookBlock, { machine, command }: RunbookCommand): string[] => {
  const unknown = placeholdersIn(command).filter((name) => !(name in placeholders));
  const found: readonly (readonly [isFound: boolean, fault: string])[] = [
    [
      changes(command) && step !== 'Do' && step !== 'Undo',
      `changes something in "${step ?? section}", and not in Do or Undo`,
    ],
    [mayTakeDom0(command), 'would take Dom0 for the guest where the variable is not set: write "${D:?}"'],
    [namesCpus(command), 'names CPUs of one machine: write <CPUS>'],
    [cutsNames(command), 'cuts names of guests at their spaces'],
    [
      machine === 'dom0' && !isAssignment(command) && /\b(?:domu|pvh|hvm)\d/.test(command),
      'names a guest of the lab: write "$G" or $D',
    ],
    [!isAssignment(command) && /\$\{?G\b/.test(withoutStrings(command)), 'has $G outside of quotes'],
    [unknown.length > 0, `has unknown placeholders: ${unknown.join(', ')}`],
    [isHalfRun(command), 'has a placeholder that the shell takes for a redirection: quote it'],
    [/\.\.\.|…/.test(command), 'has something left out'],
    [!(blockPlaces as readonly string[]).includes(only), `stands in a block for "${only}"`],
  ];
  return found.filter(([isFound]) => isFound).map(([, fault]) => `${machine}# ${command}: ${fault}`);
};

const titlesOf = (page: string): string[] => [...page.matchAll(/^## (.*)$/gm)].map(([, title]) => title!);

/** What is wrong with the commands and the measures of any page, the index among them. */
export const commandFaults = (page: string): string[] => {
  const faults = blocksOf(page).flatMap((block) => block.commands.flatMap((each) => faultsOfCommand(block, each)));
  const count = blocksOf(page).flatMap(({ commands }) => commands).length;
  const prompts = [...page.matchAll(/^ *(?:dom0|guest)# /gm)].length;
  if (count !== prompts) faults.push(`${prompts - count} lines look like commands, and are in no block of them`);
  const steps = stepsOf(page);
  if (steps.some((step, index) => step !== measureSteps[index % measureSteps.length]) || steps.length % 4 !== 0)
    faults.push(`expected ${measureSteps.join(', ')} for each measure, found ${steps.join(', ')}`);
  return faults;
};

/** Variables of the shell that a command uses and does not set, which single quotes hide from the shell. */
const variablesIn = (command: string): string[] =>
  [...programOf(command).matchAll(/\$\{?([A-Z]\w*)\b/g)]
    .map(([, name]) => name!)
    .filter((name) => !sets(command, name));

const sets = (command: string, name: string): boolean =>
  new RegExp(String.raw`(?:^|[;&|(]|\bread\b[^;]*|\bfor) *${name}\b(?:=| in\b|[ ;])`).test(command);

/** What uses a variable that neither "First minute" nor its own block has set before. */
const unsetVariables = (page: string): string[] =>
  blocksOf(page).flatMap(({ commands }) =>
    commands.flatMap(({ machine, command }, index) => {
      const before = [
        ...assignmentsOf(page, machine),
        ...commands.slice(0, index).flatMap((each) => (each.machine === machine ? each.command : [])),
      ];
      const unset = variablesIn(command).filter((name) => !before.some((each) => sets(each, name)));
      return unset.length === 0 ? [] : [`${machine}# ${command}: nothing has set ${unset.join(', ')}`];
    }),
  );

/** What is wrong with the runbook of an alert. */
export const runbookFaults = (page: string): string[] => {
  const titles = titlesOf(page);
  const looks = blocksOf(page)
    .filter(({ section }) => section === 'First minute')
    .flatMap(({ commands }) => commands.filter(({ command }) => !isAssignment(command))).length;
  const found: readonly (readonly [isFound: boolean, fault: string])[] = [
    [
      titles.join('\n') !== runbookSections.join('\n'),
      `expected the sections ${runbookSections.join(', ')}, found ${titles.join(', ')}`,
    ],
    [looks < 1 || looks > 2, `expected one or two commands in "First minute" beside variables, found ${looks}`],
    [!/^\|.*\|.*\|.*\|$/m.test(sectionOf(page, 'Is it this?')), 'expected a table of three columns in "Is it this?"'],
    [!/trade-off/i.test(sectionOf(page, 'For good')), 'expected a trade-off in "For good"'],
  ];
  return [
    ...found.filter(([isFound]) => isFound).map(([, fault]) => fault),
    ...commandFaults(page),
    ...unsetVariables(page),
  ];
};
