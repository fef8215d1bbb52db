import { once } from 'node:events';
import { existsSync, readFileSync, statSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { CommandError, localCommands, type Command, type Commands } from '../../../src/host/commands.ts';
import type { FileTree } from '../../../src/host/file-tree.ts';
import { sendRequest } from '../../../src/host/helper/client.ts';
import { remoteCommands } from '../../../src/host/helper/remote-commands.ts';
import { Helper } from '../../../src/host/helper/helper.ts';
import { FrameReader, ProtocolError, type Frame } from '../../../src/host/helper/protocol.ts';
import { fakeHost, TempTree } from '../../../tools/lib/fake-host.ts';
import { anyBytes } from '../../../tools/lib/helper-requests.ts';
import { recordingLog } from '../../../tools/lib/recording-log.ts';
import { until } from '../../../tools/lib/until.ts';

let tree: TempTree;
let socket: string;
let helper: Helper;
let ofHelper: Commands;
let commands: Commands;
let log: ReturnType<typeof recordingLog>;
/** Accesses of the helper to its machine. */
let touched: string[];
/** Collectors that the helper's own configuration enables. */
let enabled: Set<string>;

beforeEach(async () => {
  tree = new TempTree();
  socket = tree.path('helper.sock');
  touched = [];
  enabled = new Set(['runstate']);
  log = recordingLog();
  const secondsOf = new Map<string, number>();
  const local = localCommands({
    find: (name) => (existsSync(tree.path(name)) ? tree.path(name) : undefined),
    observe: (name, seconds) => secondsOf.set(name, seconds),
  });
  const note = ({ file, args }: Command): void => void touched.push([file, ...args].join(' '));
  ofHelper = {
    ...local,
    run: (command) => {
      note(command);
      return local.run(command);
    },
    stream: (command, take) => {
      note(command);
      return local.stream(command, take);
    },
  };
  const host = fakeHost(tree.root, { commands: ofHelper });
  const noted = (files: FileTree): FileTree => files.with((path) => void touched.push(path));
  helper = new Helper({
    host: {
      ...host,
      procfs: noted(host.procfs),
      sysfs: noted(host.sysfs),
      debugfs: noted(host.debugfs),
      rrdMetrics: noted(host.rrdMetrics),
    },
    log,
    version: '1.2.3',
    timeoutSeconds: 1,
    secondsOf,
    collectors: enabled,
  });
  await helper.listen(socket);
  commands = remoteCommands({ socket, has: () => true });
});
afterEach(() => {
  commands.close();
  helper.close();
  ofHelper.close();
  tree[Symbol.dispose]();
});

const limits = { timeoutSeconds: 10, maxBytes: 1e6 };
const run = (line: string, more: Partial<Command> = {}) => {
  const [file = '', ...args] = line.split(' ');
  return commands.run({ name: line, file, args, ...limits, ...more });
};
const trace = { name: 'xentrace', file: 'xentrace', args: '-D -e 0x00021000 -T 3 /dev/stdout'.split(' '), ...limits };

const open = async (): Promise<Socket> => {
  const client = connect(socket);
  await once(client, 'connect');
  return client;
};
/** The whole answer to these bytes. */
const answersTo = async (...pieces: (string | Uint8Array)[]): Promise<Frame[]> => {
  const client = await open();
  for (const piece of pieces) client.write(piece);
  const answer = Buffer.concat(await client.toArray());
  return new FrameReader().push(answer);
};

test('its socket is for its user and group', () => {
  expect(statSync(socket).mode & 0o777).toBe(0o660);
});

test('says of itself which of its programs there are, and what it takes', async () => {
  tree.writeScript('xl', 'exit 0');
  const { payload } = await sendRequest(socket, 'status').last;
  expect(JSON.parse(payload.toString())).toEqual({
    version: '1.2.3',
    programs: ['xl'],
    residentBytes: expect.closeTo(process.memoryUsage.rss(), -8) as number,
    cpuSeconds: 10,
  });
});

describe('commands', () => {
  test('give what they would give here: output, first complaint, and how long they ran', async () => {
    tree.writeScript('xl', 'echo "$*"; echo "a warning" >&2; sleep 0.1');
    const observed: [string, boolean][] = [];
    commands = remoteCommands({
      socket,
      has: () => true,
      observe: (name, seconds) => observed.push([name, seconds >= 0.1 && seconds < 10]),
    });
    expect(await run('xl list -v')).toEqual({ stdout: 'list -v\n', complaint: 'a warning' });
    expect(observed).toEqual([['xl list -v', true]]);
    expect(touched).toEqual([`${tree.path('xl')} list -v`]);
  });

  test('fail as they would here', async () => {
    tree.writeScript('xl', 'echo "no xenstored" >&2; exit 1');
    await expect(run('xl info')).rejects.toThrow(
      new CommandError(`${tree.path('xl')} info: exit status 1: no xenstored`),
    );
    await expect(run('xen-diag gnttab_query_size 1')).rejects.toThrow(new CommandError('there is no xen-diag here'));
  });

  test('end at the deadline of the helper', async () => {
    tree.writeScript('xl', 'exec sleep 300');
    await expect(run('xl info')).rejects.toThrow(new CommandError(`${tree.path('xl')} info: no end within 1 s`));
  });

  test('with more output than who asks can use', async () => {
    tree.writeScript('xl', 'yes | head -c 3000');
    await expect(run('xl info', { maxBytes: 2999 })).rejects.toThrow(
      new CommandError('xl info: more than 2999 bytes of output'),
    );
  });

  test('that are not on the list are refused in words, and not run', async () => {
    tree.writeScript('xl', 'exit 0');
    await expect(run('xl destroy domu1')).rejects.toThrow(
      new CommandError(
        'xl destroy domu1: the helper does not answer: expected an answer, found refusal: "xl destroy domu1" is not a request of this helper',
      ),
    );
    expect(touched).toEqual([]);
  });

  test('whose client goes away are ended, with what they forked; and so they are when the client closes', async () => {
    tree.writeScript('xl', `sleep 300 & echo $! > ${tree.path('pid')}; wait`);
    const running = expect(run('xl info')).rejects.toThrow('xl info: the helper does not answer');
    const pid = Number(
      await until('the command to run', () => existsSync(tree.path('pid')) && readFileSync(tree.path('pid'), 'utf8')),
    );
    commands.close();
    await running;
    await until('it to be gone', () => !existsSync(`/proc/${pid}`));
    await expect(run('xl info')).rejects.toThrow(new CommandError('xl info: stopping'));
  });

  test('a helper that is gone in the middle of one', async () => {
    tree.writeScript('xl', 'echo up; exec sleep 300');
    const running = expect(run('xl info')).rejects.toThrow(`${socket}: closed in the middle of an answer`);
    await until('the command to run', () => touched.length > 0);
    helper.close();
    await running;
    await expect(run('xl info')).rejects.toThrow(
      new CommandError(`xl info: the helper does not answer: connect ENOENT ${socket}`),
    );
  });
});

describe("Xen's trace buffer, while the helper's own configuration does not enable its collector", () => {
  beforeEach(() => {
    enabled.clear();
    for (const program of ['xl', 'xentrace', 'lsevtchn']) tree.writeScript(program, 'exit 0');
  });

  test.each(['xentrace -X -D -T 1 /dev/null', 'xentrace -D -e 0x00021000 -T 3 /dev/stdout', 'lsevtchn 0'])(
    '%s is not run',
    async (line) => {
      await expect(run(line)).rejects.toThrow(
        new CommandError(
          `the helper runs ${line.split(' ')[0]} only if its own configuration enables collector.runstate`,
        ),
      );
      expect(touched).toEqual([]);
    },
  );

  test('its programs are not among those that it names', async () => {
    const { payload } = await sendRequest(socket, 'status').last;
    expect(JSON.parse(payload.toString())).toMatchObject({ programs: ['xl'] });
  });
});

describe('streams', () => {
  const waitForTerm = 'while :; do sleep 0.02; done';

  test('come as they are written, are asked to end when it is enough, and give their rest', async () => {
    tree.writeScript('xentrace', `trap "echo bye; exit 0" TERM; echo "$*" >/dev/stdout; ${waitForTerm}`);
    let text = '';
    await commands.stream(trace, (bytes) => {
      text += Buffer.from(bytes).toString();
      return false;
    });
    expect(text).toBe('-D -e 0x00021000 -T 3 /dev/stdout\nbye\n');
  });

  test('are asked to end when their client is gone', async () => {
    tree.writeScript('xentrace', `trap "echo bye > ${tree.path('bye')}; exit 0" TERM; echo up; ${waitForTerm}`);
    await expect(
      commands.stream(trace, () => {
        commands.close();
        return true;
      }),
    ).rejects.toThrow('the helper does not answer');
    await until('its end', () => existsSync(tree.path('bye')));
  });

  test('end with the error of who takes them, who sees no more', async () => {
    tree.writeScript('xentrace', `trap "echo bye; exit 0" TERM; echo one; ${waitForTerm}`);
    let calls = 0;
    const running = commands.stream(trace, () => {
      calls += 1;
      throw new Error('not of this format');
    });
    await expect(running).rejects.toThrow('not of this format');
    expect(calls).toBe(1);
  });
});

describe('what is no request', () => {
  const refusal = (said: string) => [
    { type: 'refusal', payload: Buffer.from(`${said} is not a request of this helper`) },
  ];

  test.each([
    ['another name', ['reboot\n'], '"reboot"'],
    ['nothing', ['\n'], '""'],
    ['two of them', ['status\nstatus\n'], '"status\\nstatus\\n"'],
    ['more than a name can be', ['x'.repeat(100)], JSON.stringify('x'.repeat(64))],
    ['in pieces', ['sta', 'tu', 's', '!\n'], '"status!"'],
    ['silence', [], 'no request'],
  ])('%s', async (_what, pieces, said) => {
    expect(await answersTo(...pieces)).toEqual(refusal(said));
    expect(touched).toEqual([]);
    expect(log.lines).toEqual([`warn | Refused a request | ${said}`]);
  });

  test('who says more while he is answered is turned away', async () => {
    tree.writeScript('xl', 'exec sleep 300');
    const client = await open();
    client.write('xl info\n');
    await until('the command to run', () => touched.length > 0);
    client.write('reboot\n');
    await once(client, 'close');
    expect(touched).toEqual([`${tree.path('xl')} info`]);
  });

  test('any bytes at all: refused, or a name of the list; nothing else of the machine is touched', async () => {
    await fc.assert(
      fc.asyncProperty(anyBytes, async (bytes) => {
        const [frame, ...others] = await answersTo(bytes, '\n');
        expect(others).toEqual([]);
        expect(frame?.type).toBe('refusal');
      }),
      { numRuns: 500 },
    );
    expect(touched).toEqual([]);
    expect(await answersTo('status\n')).toMatchObject([{ type: 'answer' }]);
    // For any number of requests.
    expect(log.lines).toHaveLength(1);
  });

  describe('clients that hold as many connections as there may be', () => {
    const most = 32;
    const openAll = async (): Promise<Socket[]> => {
      const clients: Socket[] = [];
      // In sequence: the first client has waited longest.
      for (let count = 0; count < most; count += 1) clients.push(await open());
      for (const client of clients) client.on('error', () => {});
      return clients;
    };
    const isAnswered = async (): Promise<boolean> => (await sendRequest(socket, 'status').last).type === 'answer';

    test('and are silent: another one takes the place of the one that has waited longest', async () => {
      const silent = await openAll();
      const closed: number[] = [];
      for (const [index, client] of silent.entries()) client.resume().on('close', () => closed.push(index));
      expect(await isAnswered()).toBe(true);
      await until('one to be closed', () => closed.length > 0);
      expect(closed[0]).toBe(0);
    });

    test('and do not read their answers: they lose it to others', async () => {
      tree.writeScript('xl', 'head -c 4000000 /dev/zero');
      const deaf = await openAll();
      for (const client of deaf) client.pause().write('xl info\n');
      await until('all to be run', () => touched.length === most);
      await until('an answer', () => isAnswered().catch(() => false));
      deaf.forEach((client) => client.destroy());
    });

    test('and are all being answered: none is cut off for another, which is turned away', async () => {
      tree.writeScript('xl', `[ -e ${tree.path('go')} ] || exec sleep 300`);
      const busy = await openAll();
      for (const client of busy) client.write('xl info\n');
      await until('the first command to run', () => touched.length > 0);
      await expect(isAnswered()).rejects.toThrow();
      expect(busy.filter(({ closed }) => closed)).toEqual([]);
      busy.forEach((client) => client.destroy());
      await until('an answer', () => isAnswered().catch(() => false));
    });
  });
});

describe('an answer that is none', () => {
  test('frames of a type that nobody knows', () => {
    expect(() => new FrameReader().push(Buffer.from('HTTP/1.1 400 Bad Request\r\n'))).toThrow(
      new ProtocolError('expected a frame of a helper, found 485454502f'),
    );
  });
});
