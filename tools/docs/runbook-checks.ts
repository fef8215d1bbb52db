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

/**
 * A command without placeholders and single-quoted text (programs of grep, sed and awk), unless a shell runs that text.
 */
const programOf = (command: string): string => {
  const text = command.replaceAll(/<[A-Z][A-Z0-9_]*>/g, 'VALUE');
  return /\bsh -c\b/.test(text) ? text : text.replaceAll(/'[^']*'/g, "''");
};

/** Matches a program by name, not as part of a path, an option or another word, and the text after it. */
const program = (pattern: string): RegExp => new RegExp(String.raw`(?<![\w./-])(?:${pattern})`);

/** Folders of the reader's own files, such as those that Save writes. */
const own = String.raw`/(?:run|tmp|root)/`;

/** Parts of commands that change a machine. */
const changing: readonly RegExp[] = [
  program(
    String.raw`xl +(?:vcpu-pin|vcpu-set|cpupool-(?!list)\w+|\w+-(?:attach|detach)|pci-assignable-(?!list)\w+|create|config-update|destroy|shutdown|reboot|pause|unpause|rename|migrate|save|restore|suspend|resume|mem-\w+|debug-keys|sysrq|trigger|set-parameters|dmesg +-c)\b`,
  ),
  // The pool (-p) and the domain (-d) only select what is shown.
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
  // Redirection into a file.
  new RegExp(String.raw`(?<![<>=&\d-])\d?>{1,2}\|? *(?!${own}|/dev/null|&\d|&-|[>|\s]|$)`),
  new RegExp(String.raw`&> *(?!${own}|/dev/null)`),
];

/** Whether a command changes a machine, by a list of verbs. The reader's own files do not count. */
export const changes = (command: string): boolean => {
  const text = programOf(command);
  return changing.some((pattern) => pattern.test(text));
};

/** Whether a command contains CPU numbers, which differ between machines. */
export const namesCpus = (command: string): boolean =>
  [
    // A range, but not of characters like [0-9], and not within a name.
    /(?<![\w.[:-])\d+-\d+(?![\w.\]:-])/,
    /\bvcpu-pin +\S+ +\S+ +(?:\S+ +)?["']?\d/,
    /\bcpupool-cpu-(?:add|remove) +\S+ +["']?\d/,
    /\bcpus(?:_soft)?\s*=\s*[["'\\]*\d/,
    /\btaskset +(?:-\S+ +)*-\w*p\w* +["']?\d[\d,]*["']? +\S/,
    /\becho +["']?[\da-f,]+["']? *>+ *\S*(?:smp_affinity|rps_cpus|xps_cpus)/,
    /\/cpu\d+\//,
  ].some((pattern) => pattern.test(command));

/** Whether a command splits a table of domains into words from the left, where the name is. */
const cutsNames = (command: string): boolean =>
  /\bxl +(?:list(?! +-\w*l)|vcpu-list|vm-list|"?sched-)[^;|]*\| *(?:awk[^;|]*\$[1-9]|cut\b|while +read\b|xargs\b)/.test(
    command,
  );

/** The domain argument of xl subcommands that would change, end or show Dom0 instead of the guest. */
const domainOfXl =
  /\bxl +(?:(?:vcpu-pin|vcpu-set|cpupool-migrate|\w+-attach|\w+-detach|destroy|shutdown|reboot|pause|mem-set|mem-max|save|migrate) +(?:-\S+ +)*|"?sched-[^;|&]*?\s-d +)(?<domain>[^\s;|&)]+)/g;

/** xl reads an empty name as domain 0. */
const mayTakeDom0 = (command: string): boolean =>
  [...command.matchAll(domainOfXl)].some(
    ({ groups }) => /\$\{?[GD]\b/.test(groups!['domain']!) && !/^"?\$\{[GD]:\?\}"?$/.test(groups!['domain']!),
  );

const withoutStrings = (command: string): string => command.replaceAll(/'[^']*'|"(?:[^"\\]|\\.)*"/g, '""');

/**
 * Whether the shell would run part of a command with unreplaced placeholders. Bare placeholders are redirections: `<A>
 * b` reads file A and writes file b. But `<A>` before the end or an operator is a syntax error, and the shell refuses
 * the whole line.
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
      `changes something in "${step ?? section}"; only Do and Undo may`,
    ],
    [mayTakeDom0(command), 'would use Dom0 as the guest if the variable is not set: write "${D:?}"'],
    [namesCpus(command), 'names CPUs of one machine: write <CPUS>'],
    [cutsNames(command), 'splits guest names at spaces'],
    [
      machine === 'dom0' && !isAssignment(command) && /\b(?:domu|pvh|hvm)\d/.test(command),
      'names a guest of the lab: write "$G" or $D',
    ],
    [!isAssignment(command) && /\$\{?G\b/.test(withoutStrings(command)), 'has $G outside of quotes'],
    [unknown.length > 0, `has unknown placeholders: ${unknown.join(', ')}`],
    [isHalfRun(command), 'has a placeholder that the shell reads as a redirection: quote it'],
    [/\.\.\.|…/.test(command), 'has an ellipsis'],
    [!(blockPlaces as readonly string[]).includes(only), `is in a block for "${only}"`],
  ];
  return found.filter(([isFound]) => isFound).map(([, fault]) => `${machine}# ${command}: ${fault}`);
};

const titlesOf = (page: string): string[] => [...page.matchAll(/^## (.*)$/gm)].map(([, title]) => title!);

/** Faults of the commands and measures of any page, including the index. */
export const commandFaults = (page: string): string[] => {
  const faults = blocksOf(page).flatMap((block) => block.commands.flatMap((each) => faultsOfCommand(block, each)));
  const count = blocksOf(page).flatMap(({ commands }) => commands).length;
  const prompts = [...page.matchAll(/^ *(?:dom0|guest)# /gm)].length;
  if (count !== prompts) faults.push(`${prompts - count} lines look like commands but are not in a block of commands`);
  const steps = stepsOf(page);
  if (steps.some((step, index) => step !== measureSteps[index % measureSteps.length]) || steps.length % 4 !== 0)
    faults.push(`expected ${measureSteps.join(', ')} for each measure, found ${steps.join(', ')}`);
  return faults;
};

/** Shell variables that a command uses but does not set. Single quotes hide them from the shell. */
const variablesIn = (command: string): string[] =>
  [...programOf(command).matchAll(/\$\{?([A-Z]\w*)\b/g)]
    .map(([, name]) => name!)
    .filter((name) => !sets(command, name));

const sets = (command: string, name: string): boolean =>
  new RegExp(String.raw`(?:^|[;&|(]|\bread\b[^;]*|\bfor) *${name}\b(?:=| in\b|[ ;])`).test(command);

/** Commands with a variable that neither "First minute" nor their own block sets before. */
const unsetVariables = (page: string): string[] =>
  blocksOf(page).flatMap(({ commands }) =>
    commands.flatMap(({ machine, command }, index) => {
      const before = [
        ...assignmentsOf(page, machine),
        ...commands.slice(0, index).flatMap((each) => (each.machine === machine ? each.command : [])),
      ];
      const unset = variablesIn(command).filter((name) => !before.some((each) => sets(each, name)));
      return unset.length === 0 ? [] : [`${machine}# ${command}: no earlier command sets ${unset.join(', ')}`];
    }),
  );

/** Faults of an alert's runbook. */
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
    [looks < 1 || looks > 2, `expected one or two commands in "First minute" in addition to variables, found ${looks}`],
    [!/^\|.*\|.*\|.*\|$/m.test(sectionOf(page, 'Is it this?')), 'expected a table of three columns in "Is it this?"'],
    [!/trade-off/i.test(sectionOf(page, 'For good')), 'expected a trade-off in "For good"'],
  ];
  return [
    ...found.filter(([isFound]) => isFound).map(([, fault]) => fault),
    ...commandFaults(page),
    ...unsetVariables(page),
  ];
};
