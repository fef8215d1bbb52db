import { FileError, type FileTree } from '../file-tree.ts';
import type { FilesAnswer } from './protocol.ts';

/** A program that the helper may run. */
export interface RemoteCommand {
  /** Name in metrics. */
  readonly name: string;
  readonly program: string;
  readonly args: readonly string[];
  /** Run time in seconds of a command that is streamed; undefined if its output is read at its end. */
  readonly streamsFor?: number;
  /**
   * Set if only this collector needs it. The helper then runs it only if its own configuration enables the collector.
   */
  readonly collector?: RemoteCollector;
}

/** Collectors, off by default, whose commands the helper runs only if its own configuration enables them. */
export const remoteCollectors = ['runstate'] as const;
type RemoteCollector = (typeof remoteCollectors)[number];

/** A command line as in the collector, with its name in metrics. */
const commandOf = (line: string, name = line): RemoteCommand => {
  const [program = '', ...args] = line.split(' ');
  return { name, program, args };
};

/** A command for Xen's trace buffer. It costs every CPU of the host and changes one of Xen's masks. */
const traceCommandOf = (line: string, name: string): RemoteCommand => ({
  ...commandOf(line, name),
  collector: 'runstate',
});

// All are read-only except the last, which turns off tracing that a killed xentrace left on.
const fixedCommands: readonly RemoteCommand[] = [
  commandOf('xl list -v'),
  commandOf('xl list -l'),
  commandOf('xl info'),
  commandOf('xl vcpu-list'),
  commandOf('xl cpupool-list'),
  commandOf('xl sched-credit'),
  commandOf('xl sched-credit2'),
  commandOf('xl sched-rtds'),
  commandOf('xl pci-assignable-list'),
  commandOf('ovs-appctl dpctl/show'),
  traceCommandOf('lsevtchn 0', 'lsevtchn'),
  traceCommandOf('xentrace -X -D -T 1 /dev/null', 'xentrace -X'),
];

/** Commands that contain a number from `least` to `most` between `before` and `after`. */
interface NumberedCommands {
  readonly before: string;
  readonly after: string;
  readonly least: number;
  readonly most: number;
  of(line: string, number: number): RemoteCommand;
}

const numberedCommands: readonly NumberedCommands[] = [
  {
    // A domid (below DOMID_FIRST_RESERVED in xen/include/public/xen.h).
    before: 'xen-diag gnttab_query_size ',
    after: '',
    least: 0,
    most: 0x7fef,
    of: (line) => commandOf(line, 'xen-diag gnttab_query_size'),
  },
  {
    // Length of a window in seconds. The mask covers only run states.
    before: 'xentrace -D -e 0x00021000 -T ',
    after: ' /dev/stdout',
    least: 1,
    most: 300,
    of: (line, seconds) => ({ ...traceCommandOf(line, 'xentrace'), streamsFor: seconds }),
  },
];

const allCommands = [
  ...fixedCommands,
  ...numberedCommands.map(({ before, after, least, of }) => of(`${before}${least}${after}`, least)),
];

/** Programs that the helper runs with these collectors enabled. */
export const programsFor = (collectors: ReadonlySet<string>): readonly string[] => {
  const commands = allCommands.filter(({ collector }) => collector === undefined || collectors.has(collector));
  return [...new Set(commands.map(({ program }) => program))];
};

const lineOf = ({ program, args }: RemoteCommand): string => [program, ...args].join(' ');
const fixedByLine = new Map(fixedCommands.map((command) => [lineOf(command), command]));

/** The command of that name; undefined if it is not listed. */
export const remoteCommand = (request: string): RemoteCommand | undefined => {
  const fixed = fixedByLine.get(request);
  if (fixed) return fixed;
  for (const { before, after, least, most, of } of numberedCommands) {
    const number = Number(request.slice(before.length, request.length - after.length));
    // Only the value of a whole number gets from the request into the command.
    const line = `${before}${number}${after}`;
    if (line === request && Number.isInteger(number) && number >= least && number <= most) return of(line, number);
  }
  return undefined;
};

/** Trees of which the helper reads a part. */
export type RemoteTree = 'procfs' | 'debugfs' | 'rrdMetrics';

/** Files that are read together. */
export interface RemoteFiles {
  readonly tree: RemoteTree;
  /** The file, or the folder with all its subfolders. */
  readonly root: string;
  /** Never throws. */
  read(tree: FileTree): FilesAnswer;
}

/** Collects contents and failures. */
class Reading implements FilesAnswer {
  readonly files: Record<string, string> = {};
  readonly failures: Record<string, string> = {};

  file(name: string, read: () => Uint8Array | string): void {
    const content = this.attempt(name, read);
    if (content !== undefined) this.files[name] = Buffer.from(content as string).toString('latin1');
  }

  attempt<Result>(name: string, read: () => Result): Result | undefined {
    try {
      return read();
    } catch (error) {
      if (!(error instanceof FileError)) throw error;
      this.failures[name] = error.code;
      return undefined;
    }
  }
}

const oneFile = (tree: RemoteTree, root: string, read: (tree: FileTree) => Uint8Array): RemoteFiles => ({
  tree,
  root,
  read: (files) => {
    const reading = new Reading();
    reading.file(root, () => read(files));
    return reading;
  },
});

const ringsFolder = 'xen-netback';
// The first CPU's jiffies are within this, after its timers, for any number of CPUs.
const enoughOfTimers = 256 << 10;
// The file is sized for the most VMs that xapi supports. Unused space is zeros at the end.
const mostRrdBytes = 64 << 20;

const withoutZeros = (bytes: Uint8Array): Uint8Array => {
  let end = bytes.length;
  while (end > 0 && bytes[end - 1] === 0) end -= 1;
  return bytes.subarray(0, end);
};

/** File requests by name. */
export const remoteFiles = {
  'netback-rings': {
    tree: 'debugfs',
    root: ringsFolder,
    read: (debugfs) => {
      const reading = new Reading();
      const namesIn = (folder: string): string[] => reading.attempt(folder, () => debugfs.unsorted(folder)) ?? [];
      for (const vif of namesIn(ringsFolder).map((name) => `${ringsFolder}/${name}`)) {
        for (const file of namesIn(vif).filter((name) => /^io_ring_q\d+$/.test(name))) {
          reading.file(`${vif}/${file}`, () => debugfs.cachedText(`${vif}/${file}`));
        }
      }
      return reading;
    },
  },
  'timer-list': oneFile('procfs', 'timer_list', (procfs) =>
    procfs.bytesUntil('timer_list', ({ length }) => length >= enoughOfTimers),
  ),
  'xcp-rrdd-cpu': oneFile('rrdMetrics', 'xcp-rrdd-cpu', (rrdMetrics) =>
    withoutZeros(rrdMetrics.bytes('xcp-rrdd-cpu', mostRrdBytes)),
  ),
} as const satisfies Record<string, RemoteFiles>;

export type FilesRequest = keyof typeof remoteFiles;

/** The files of that name; undefined if not listed. */
export const filesOf = (request: string): RemoteFiles | undefined =>
  Object.hasOwn(remoteFiles, request) ? remoteFiles[request as FilesRequest] : undefined;

/** The request for a helper's own status. */
export const statusRequest = 'status';
