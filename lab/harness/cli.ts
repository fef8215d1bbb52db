// npm run lab -- COMMAND: controls the lab by hand.
import { parseArgs } from 'node:util';
import { installExporter, packExporter } from './exporter.ts';
import { labImage } from './image.ts';
import { GUEST_NAMES, Lab, USUAL_GUESTS, type GuestName } from './lab.ts';
import {
  INIT_NAMES,
  SCHEDULER_NAMES,
  THREADS,
  USUAL_CPUS,
  type InitName,
  type SchedulerName,
  type Threads,
} from './qemu.ts';
import { lacking } from './requirements.ts';
import { tell } from './tell.ts';

const USAGE = `usage: npm run lab -- COMMAND
  check                      what this machine lacks for the lab (exit status 1 if anything)
  build [--hvm]              make the images, unless they are there; --hvm: with the device model that HVM guests need
  up [--scheduler=credit2|credit] [--guests=${USUAL_GUESTS.join()}] [--init=busybox|systemd] [--threads=multi|single]
     [--cpus=${USUAL_CPUS}] [--hours=4] [--xen="ARGUMENTS"]
                             boot it, install and start the exporter in Dom0 and in the guests
  dom0 [COMMAND...]          a shell in Dom0, or a command there
  guest NAME [COMMAND...]    a shell in a guest, or a command there
  push                       install the exporter that is built now, and start it again
  storm start|net|stop       an accept() storm against domu1, with or without busy neighbours
  console                    what Xen and Dom0 have written to the serial line
  down                       end it
`;

class UsageError extends Error {}

function theLab(): Lab {
  const lab = Lab.running();
  if (lab === undefined) throw new Error('the lab does not run: npm run lab:up');
  return lab;
}

async function install(lab: Lab): Promise<void> {
  const archive = await packExporter();
  for (const machine of lab.machines) {
    await installExporter(machine, archive);
    tell(`${machine.name.padEnd(6)} http://127.0.0.1:${machine.exporterPort}/`);
  }
}

function upFlags(args: string[]) {
  try {
    return parseArgs({
      args,
      options: {
        scheduler: { type: 'string', default: 'credit2' },
        guests: { type: 'string', default: USUAL_GUESTS.join() },
        threads: { type: 'string', default: 'multi' },
        init: { type: 'string', default: 'busybox' },
        cpus: { type: 'string', default: String(USUAL_CPUS) },
        hours: { type: 'string', default: '4' },
        xen: { type: 'string', default: '' },
      },
    }).values;
  } catch (error) {
    throw new UsageError((error as Error).message, { cause: error });
  }
}

async function up(args: string[]): Promise<void> {
  const values = upFlags(args);
  if (Lab.running() !== undefined) throw new Error('the lab runs already: npm run lab:down ends it');
  const guests = values.guests.split(',').filter((name) => name !== '');
  for (const name of guests) {
    if (!GUEST_NAMES.includes(name as GuestName))
      throw new UsageError(`no guest ${name}: expected ${GUEST_NAMES.join()}`);
  }
  if (!SCHEDULER_NAMES.includes(values.scheduler as SchedulerName)) {
    throw new UsageError(
      `scheduler ${values.scheduler}: expected ${SCHEDULER_NAMES.join(' or ')} (Debian's Xen has no others)`,
    );
  }
  if (!THREADS.includes(values.threads as Threads)) {
    throw new UsageError(`threads ${values.threads}: expected ${THREADS.join(' or ')}`);
  }
  if (!INIT_NAMES.includes(values.init as InitName)) {
    throw new UsageError(`init ${values.init}: expected ${INIT_NAMES.join(' or ')}`);
  }
  const hours = Number(values.hours);
  if (!(hours > 0)) throw new UsageError(`--hours=${values.hours}: expected a number greater than 0`);
  const cpus = Number(values.cpus);
  if (!(Number.isInteger(cpus) && cpus > 0))
    throw new UsageError(`--cpus=${values.cpus}: expected a whole number greater than 0`);
  const lab = await Lab.boot({
    scheduler: values.scheduler as SchedulerName,
    init: values.init as InitName,
    guests: guests as GuestName[],
    lifetimeSeconds: hours * 3600,
    threads: values.threads as Threads,
    cpus,
    xenArguments: values.xen,
    progress: tell,
  });
  await lab.publish();
  await install(lab);
}

async function run([command, ...args]: string[]): Promise<number> {
  switch (command) {
    case 'check': {
      const lacks = lacking();
      for (const each of lacks) tell(`the lab needs ${each}`);
      return lacks.length === 0 ? 0 : 1;
    }
    case 'build':
      await labImage({ withDeviceModel: args.includes('--hvm') });
      return 0;
    case 'up':
      await up(args);
      return 0;
    case 'dom0':
      return theLab().dom0.attach(args);
    case 'guest': {
      const [name, ...rest] = args;
      return theLab()
        .guest(name as GuestName)
        .attach(rest);
    }
    case 'push':
      await install(theLab());
      return 0;
    case 'storm':
      return theLab().dom0.attach(['/lab/storm', ...args]);
    case 'console':
      process.stdout.write(theLab().console());
      return 0;
    case 'down':
      await Lab.running()?.[Symbol.asyncDispose]();
      return 0;
    default:
      throw new UsageError(command === undefined ? 'a command is missing' : `no command ${command}`);
  }
}

try {
  process.exitCode = await run(process.argv.slice(2));
} catch (error) {
  tell((error as Error).message);
  if (error instanceof UsageError) tell(USAGE);
  process.exitCode = error instanceof UsageError ? 2 : 1;
}
