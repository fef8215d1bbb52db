import { expect, test } from 'vitest';
import { isRootQdisc, parseQdiscs, type Qdisc, qdiscRequest } from '../../src/formats/rtnetlink-qdisc.ts';
import { readBytes, readText } from '../../tools/lib/fixture.ts';
import { attribute, dump, message, words } from './netlink-message.ts';
import { thrownBy } from './thrown-by.ts';

const root = 0xffffffff;
const empty = { queueLength: 0, backlogBytes: 0, drops: 0, requeues: 0, overlimits: 0 };
const noqueue = { parent: root, kind: 'noqueue', sentBytes: 0, sentPackets: 0, ...empty };

const dom0: Qdisc[] = [
  { ifindex: 1, ...noqueue },
  { ifindex: 2, parent: root, kind: 'fq_codel', sentBytes: 1223860, sentPackets: 5493, ...empty },
  { ifindex: 3, ...noqueue },
  { ifindex: 4, parent: root, kind: 'mq', sentBytes: 7798621, sentPackets: 86299, ...empty },
  { ifindex: 4, parent: 2, kind: 'fq_codel', sentBytes: 3894805, sentPackets: 43141, ...empty },
  { ifindex: 4, parent: 1, kind: 'fq_codel', sentBytes: 3903816, sentPackets: 43158, ...empty },
  { ifindex: 5, parent: root, kind: 'mq', sentBytes: 73849, sentPackets: 374, ...empty },
  { ifindex: 5, parent: 1, kind: 'fq_codel', sentBytes: 73849, sentPackets: 374, ...empty },
  { ifindex: 6, parent: root, kind: 'mq', sentBytes: 66170, sentPackets: 325, ...empty },
  { ifindex: 6, parent: 1, kind: 'fq_codel', sentBytes: 66170, sentPackets: 325, ...empty },
];

test('asks for all qdiscs', () => {
  expect(Buffer.from(qdiscRequest()).toString('hex')).toBe(
    '24000000' + '2600' + '0103' + '01000000' + '00000000' + '00'.repeat(20),
  );
});

test('reads the qdiscs of a Dom0 with three vifs', () => {
  expect(parseQdiscs(readBytes('dom0-netlink-storm/rtm-getqdisc.bin'))).toEqual({ qdiscs: dom0, interrupted: false });
});

test('reads the qdiscs of a guest with two queues', () => {
  expect(parseQdiscs(readBytes('guests/pv-netlink-storm/netlink/rtm-getqdisc.bin'))).toEqual({
    qdiscs: [
      { ifindex: 1, ...noqueue },
      { ifindex: 2, parent: root, kind: 'mq', sentBytes: 6988155, sentPackets: 84016, ...empty },
      { ifindex: 2, parent: 2, kind: 'fq_codel', sentBytes: 3680672, sentPackets: 42456, ...empty },
      { ifindex: 2, parent: 1, kind: 'fq_codel', sentBytes: 3307483, sentPackets: 41560, ...empty },
    ],
    interrupted: false,
  });
});

test('reads a queue that is full', () => {
  const { qdiscs } = parseQdiscs(readBytes('linux-6.18/rtm-getqdisc.bin'));
  expect(qdiscs).toEqual([
    {
      ifindex: 1,
      parent: root,
      kind: 'tbf',
      sentBytes: 1084,
      sentPackets: 2,
      queueLength: 5,
      backlogBytes: 2710,
      drops: 5,
      requeues: 0,
      overlimits: 10,
    },
    { ifindex: 1, parent: 0xffff_fff1, kind: 'clsact', sentBytes: 0, sentPackets: 0, ...empty },
  ]);
  expect(qdiscs.map(isRootQdisc)).toEqual([true, false]);
});

test('takes the root of every device', () => {
  expect(dom0.filter(isRootQdisc).map(({ ifindex, kind }) => `${ifindex} ${kind}`)).toEqual([
    '1 noqueue',
    '2 fq_codel',
    '3 noqueue',
    '4 mq',
    '5 mq',
    '6 mq',
  ]);
});

const tcLine =
  /^ Sent (\d+) bytes (\d+) pkt \(dropped (\d+), overlimits (\d+) requeues (\d+)\) \n backlog (\d+)b (\d+)p requeues \d+$/gm;

test('agrees with tc', () => {
  const tc = readText('linux-6.18/tc-s-qdisc');
  const { qdiscs } = parseQdiscs(readBytes('linux-6.18/rtm-getqdisc.bin'));
  expect(
    qdiscs.map((qdisc) => [
      qdisc.sentBytes,
      qdisc.sentPackets,
      qdisc.drops,
      qdisc.overlimits,
      qdisc.requeues,
      qdisc.backlogBytes,
      qdisc.queueLength,
    ]),
  ).toEqual([...tc.matchAll(tcLine)].map((match) => match.slice(1).map(Number)));
  expect(qdiscs.map(({ kind }) => kind)).toEqual([...tc.matchAll(/^qdisc (\S+)/gm)].map(([, kind]) => kind));
});

test.each(['dom0-netlink-storm', 'guests/pv-netlink-storm/netlink'])(
  'agrees with tc on what there is in %s',
  (folder) => {
    const { qdiscs } = parseQdiscs(readBytes(`${folder}/rtm-getqdisc.bin`));
    // The counters went on between the two captures.
    expect(qdiscs.map((qdisc) => `${qdisc.kind} ${isRootQdisc(qdisc) ? 'root' : `parent :${qdisc.parent}`}`)).toEqual(
      [...readText(`${folder}/tc-s-qdisc`).matchAll(/^qdisc (\S+) 0: dev \S+ (root|parent \S+)/gm)].map(
        (match) => `${match[1]} ${match[2]}`,
      ),
    );
  },
);

const tcmsg = words(0, 1, 2, root, 0);
const kind = attribute(1, Buffer.from('pfifo\0'));
const basic = attribute(1, words(1, 2, 3, 0));
const queue = attribute(3, words(4, 5, 6, 7, 8));

test('reads numbers beyond 32 bits', () => {
  const stats = attribute(7, Buffer.concat([basic, attribute(8, words(9, 1)), queue]));
  expect(parseQdiscs(dump(message(36, [tcmsg, kind, stats]))).qdiscs).toEqual([
    {
      ifindex: 1,
      parent: root,
      kind: 'pfifo',
      sentBytes: 2 * 2 ** 32 + 1,
      sentPackets: 2 ** 32 + 9,
      queueLength: 4,
      backlogBytes: 5,
      drops: 6,
      requeues: 7,
      overlimits: 8,
    },
  ]);
});

test.each([
  ['another message', dump(message(20, [tcmsg])), 'expected a qdisc, found a message of type 20'],
  ['a short one', dump(message(36, [words(0)])), 'expected a qdisc of 20 bytes, found 4 bytes'],
  [
    'one without statistics',
    dump(message(36, [tcmsg, kind])),
    'expected a qdisc with TCA_KIND and TCA_STATS2, found one without',
  ],
  [
    'short counters',
    dump(message(36, [tcmsg, kind, attribute(7, attribute(1, words(1)))])),
    'expected TCA_STATS_BASIC of 12 bytes, found 4 bytes',
  ],
  [
    'a nested attribute that is too long',
    dump(message(36, [tcmsg, kind, attribute(7, words(0x0003_0018, 0))])),
    'expected an attribute of 4 to 8 bytes, found a length of 24',
  ],
])('refuses %s', (_name, bytes, text) => {
  expect(thrownBy(() => parseQdiscs(bytes))).toBe(`ParseError: ${text}`);
});
