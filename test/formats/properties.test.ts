import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { parseFeatures } from '../../src/formats/hypervisor.ts';
import { parseInetDiag, parseSynRecv } from '../../src/formats/inet-diag.ts';
import { parseInteger } from '../../src/formats/integer.ts';
import { parseVirqs } from '../../src/formats/lsevtchn.ts';
import { formatIpv4, formatIpv6 } from '../../src/formats/ip-address.ts';
import { NetlinkError, parseDump } from '../../src/formats/netlink.ts';
import { parseDpctlShow } from '../../src/formats/ovs-dpctl-show.ts';
import { ParseError } from '../../src/formats/parse-error.ts';
import { parseNetCounters } from '../../src/formats/proc-net-counters.ts';
import { parseNetDev } from '../../src/formats/proc-net-dev.ts';
import { parseSoftnetStat } from '../../src/formats/proc-net-softnet-stat.ts';
import { parseConntrackStat } from '../../src/formats/proc-net-stat-nf-conntrack.ts';
import { hasAllListeners, parseProcNetTcp } from '../../src/formats/proc-net-tcp.ts';
import { cpuModes, parseProcStat } from '../../src/formats/proc-stat.ts';
import { parseQdiscs } from '../../src/formats/rtnetlink-qdisc.ts';
import { parseSs } from '../../src/formats/ss.ts';
import { parseGnttabQuerySize } from '../../src/formats/xen-diag.ts';
import { parseXlCpupoolList } from '../../src/formats/xl-cpupool-list.ts';
import { parseXlInfo } from '../../src/formats/xl-info.ts';
import { parseXlListLong } from '../../src/formats/xl-list-long.ts';
import { parseXlList } from '../../src/formats/xl-list.ts';
import { parsePciAssignableList } from '../../src/formats/xl-pci-assignable-list.ts';
import { parseXlSched } from '../../src/formats/xl-sched.ts';
import { parseXlVcpuList } from '../../src/formats/xl-vcpu-list.ts';
import { parseTrace } from '../../tools/lib/xentrace.ts';
import { readBytes, readText } from '../../tools/lib/fixture.ts';
import { attribute, dump, message, words } from './netlink-message.ts';

const guest = (path: string): Uint8Array => readBytes(`guests/pv-storm/${path}`);
const netlink = (name: string): Uint8Array => readBytes(`guests/pv-netlink-storm/netlink/${name}`);

// Every parser with a real capture of its input.
const textParsers: [name: string, parse: (text: string) => unknown, capture: Uint8Array][] = [
  ['parseFeatures', parseFeatures, guest('sys/hypervisor/properties/features')],
  ['parseVirqs', parseVirqs, readBytes('xl/credit-storm.lsevtchn-0')],
  ['parseInteger', parseInteger, guest('proc/sys/net/core/somaxconn')],
  ['parseNetCounters', parseNetCounters, guest('proc/net/netstat')],
  ['parseNetDev', parseNetDev, guest('proc/net/dev')],
  ['parseSoftnetStat', parseSoftnetStat, guest('proc/net/softnet_stat')],
  ['parseProcNetTcp', (text) => parseProcNetTcp(text, 'ipv4'), guest('proc/net/tcp').subarray(0, 1000)],
  ['parseProcNetTcp', (text) => parseProcNetTcp(text, 'ipv6'), guest('proc/net/tcp6')],
  ['hasAllListeners', (text) => hasAllListeners(text, false), guest('proc/net/tcp').subarray(0, 1000)],
  ['parseProcStat', parseProcStat, guest('proc/stat')],
  ['parseSs', parseSs, readBytes('linux-6.18/ss-Hltnem')],
  ['parseConntrackStat', parseConntrackStat, readBytes('xl/proc-net-stat-nf_conntrack')],
  ['parseDpctlShow', parseDpctlShow, readBytes('xl/ovs-appctl-dpctl-show')],
  ['parseGnttabQuerySize', parseGnttabQuerySize, readBytes('xl/credit-netlink-storm.xen-diag-gnttab-query-size-1')],
  ['parsePciAssignableList', parsePciAssignableList, readBytes('xl/credit.xl-pci-assignable-list')],
  ['parseXlCpupoolList', parseXlCpupoolList, readBytes('xl/credit-two-pools.xl-cpupool-list')],
  ['parseXlInfo', parseXlInfo, readBytes('xl/credit-storm.xl-info')],
  ['parseXlList', parseXlList, readBytes('xl/credit-hvm-renamed.xl-list-v')],
  ['parseXlListLong', parseXlListLong, readBytes('xl/credit-storm.xl-list-l')],
  ['parseXlSched', parseXlSched, readBytes('xl/credit2-two-pools.xl-sched-credit2')],
  ['parseXlSched', parseXlSched, readBytes('xl/rtds-storm.xl-sched-rtds')],
  ['parseXlVcpuList', parseXlVcpuList, readBytes('xl/credit-hvm-renamed.xl-vcpu-list')],
];
const binaryParsers: [name: string, parse: (bytes: Uint8Array) => unknown, capture: Uint8Array][] = [
  ['parseDump', parseDump, netlink('inet-diag-listen-v4.bin')],
  ['parseInetDiag', parseInetDiag, netlink('inet-diag-listen-v4.bin')],
  ['parseInetDiag', parseInetDiag, netlink('inet-diag-listen-v6.bin')],
  ['parseSynRecv', parseSynRecv, netlink('inet-diag-syn-recv-v4.bin')],
  ['parseQdiscs', parseQdiscs, netlink('rtm-getqdisc.bin')],
  ['XentraceParser', parseTrace, readBytes('xentrace/credit-idle.xt').subarray(0, 332)],
];

const parsers: typeof binaryParsers = [
  ...textParsers.map(([name, parse, capture]): (typeof binaryParsers)[number] => [
    name,
    (bytes) => parse(Buffer.from(bytes).toString('latin1')),
    capture,
  ]),
  ...binaryParsers,
];

/** Runs a parser. One of our own errors is a valid outcome. */
const survives = <Input>(parse: (input: Input) => unknown, input: Input): void => {
  try {
    parse(input);
  } catch (error) {
    if (!(error instanceof ParseError) && !(error instanceof NetlinkError)) throw error;
  }
};

const concat = (...parts: Uint8Array[]): Uint8Array => new Uint8Array(Buffer.concat(parts));

/**
 * One to four damages in sequence: cut off, bits flipped, a piece removed, doubled, or replaced by another capture's.
 */
const damaged = (capture: Uint8Array): fc.Arbitrary<Uint8Array> => {
  const place = fc.double({ min: 0, max: 1, noNaN: true });
  const damage = fc.record({
    kind: fc.constantFrom('truncate', 'flip', 'remove', 'double', 'splice', 'insert'),
    from: place,
    length: fc.nat({ max: 64 }),
    bit: fc.nat({ max: 7 }),
    other: fc.constantFrom(...parsers.map(([, , bytes]) => bytes)),
    noise: fc.uint8Array({ maxLength: 16 }),
  });
  return fc.array(damage, { minLength: 1, maxLength: 4 }).map((damages) =>
    damages.reduce((bytes, { kind, from, length, bit, other, noise }) => {
      const at = Math.floor(from * bytes.length);
      const before = bytes.subarray(0, at);
      const piece = bytes.subarray(at, at + length);
      const after = bytes.subarray(at + length);
      switch (kind) {
        case 'truncate':
          return before;
        case 'flip':
          return bytes.map((byte, index) => (index === at ? byte ^ (1 << bit) : byte));
        case 'remove':
          return concat(before, after);
        case 'double':
          return concat(before, piece, piece, after);
        case 'splice':
          return concat(before, other.subarray(Math.floor(from * other.length)));
        default:
          return concat(before, noise, after);
      }
    }, capture),
  );
};

describe.each(parsers)('%s throws nothing but its own errors', (_name, parse, capture) => {
  test('on the capture itself', () => {
    parse(capture);
  });

  test('on any bytes', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 512 }), (bytes) => {
        survives(parse, bytes);
      }),
    );
  });

  test('on a damaged capture', () => {
    fc.assert(
      fc.property(damaged(capture), (bytes) => {
        survives(parse, bytes);
      }),
      { numRuns: 1000 },
    );
  });

  test('in linear time', () => {
    const start = performance.now();
    for (const filler of [
      ' ',
      '\n',
      ' \n',
      '\t',
      '0',
      'f',
      ':',
      ',d1',
      '[',
      ']',
      '%',
      'cpu',
      'cpu1 ',
      '\0',
      '\u0004',
    ]) {
      const long = Buffer.from(filler.repeat(100_000), 'latin1');
      for (const at of [0, 1, 5, capture.indexOf(0x0a) + 1, capture.length - 1]) {
        survives(parse, concat(capture.subarray(0, at), long, capture.subarray(at)));
      }
    }
    // 75 inputs of 100 to 500 kB. Anything quadratic would take minutes.
    expect(performance.now() - start).toBeLessThan(60_000);
  });
});

describe.each(textParsers)('%s throws nothing but its own errors', (_name, parse) => {
  test('on any characters', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary', maxLength: 200 }), (text) => {
        survives(parse, text);
      }),
    );
  });
});

describe.each([
  ['parseXlList', parseXlList, readText('xl/credit-storm.xl-list-v')],
  ['parseXlVcpuList', parseXlVcpuList, readText('xl/credit-storm.xl-vcpu-list')],
  ['parseXlCpupoolList', parseXlCpupoolList, readText('xl/credit-two-pools.xl-cpupool-list')],
] as const)('%s', (_name, parse, capture) => {
  test('refuses what was cut off within a line', () => {
    fc.assert(
      fc.property(fc.nat({ max: capture.length - 1 }), (end) => {
        fc.pre(capture[end - 1] !== '\n');
        expect(() => parse(capture.slice(0, end))).toThrow(ParseError);
      }),
    );
  });
});

describe('what xl prints comes back, whatever the name', () => {
  // Any characters but newlines. It ends in a dot because padding hides trailing blanks and digits may touch the number
  // of CPUs.
  const name = fc
    .string({
      unit: fc.oneof(
        fc.constantFrom(' ', '0', '1', '-', ',', '/', ':', '(', 'r', 'y'),
        fc.string({ minLength: 1, maxLength: 1 }),
      ),
      maxLength: 60,
    })
    .map((text) => `${text.replaceAll('\n', ' ')}.`);
  const small = fc.nat({ max: 4095 });

  test('domains', () => {
    const uuid = '6c9ee902-e8b7-484d-b5a1-502d89e835de';
    const [heading] = readText('xl/credit-storm.xl-list-v').split('\n');
    fc.assert(
      fc.property(name, fc.nat({ max: 32751 }), fc.nat({ max: 1e8 }), small, fc.nat({ max: 1e9 }), (...row) => {
        const [shown, domid, mebibytes, onlineVcpus, tenths] = row;
        const text = `${heading}\n${shown.padEnd(40)} ${String(domid).padStart(5)} ${String(mebibytes).padStart(5)} ${String(onlineVcpus).padStart(5)}     -b----  ${(tenths / 10).toFixed(1).padStart(8)} ${uuid}        -                -\n`;
        expect(parseXlList(text)).toMatchObject([
          { domid, name: shown, memoryBytes: mebibytes * 1024 ** 2, onlineVcpus, cpuSeconds: tenths / 10, uuid },
        ]);
      }),
    );
  });

  test('vCPUs', () => {
    const [heading] = readText('xl/credit-storm.xl-vcpu-list').split('\n');
    fc.assert(
      fc.property(
        name,
        fc.nat({ max: 32751 }),
        small,
        fc.option(small, { nil: undefined }),
        fc.nat({ max: 1e9 }),
        (...row) => {
          const [shown, domid, vcpu, cpu, tenths] = row;
          const place = cpu === undefined ? '    -   --p' : `${String(cpu).padStart(5)}   r--`;
          const text = `${heading}\n${shown.padEnd(32)} ${String(domid).padStart(5)} ${String(vcpu).padStart(5)}${place} ${(tenths / 10).toFixed(1).padStart(9)}  0-3,8 / all\n`;
          expect(parseXlVcpuList(text)).toEqual([
            {
              domid,
              name: shown,
              vcpu,
              cpu,
              state: cpu === undefined ? 'offline' : 'running',
              cpuSeconds: tenths / 10,
            },
          ]);
        },
      ),
    );
  });

  test('domains of a scheduler', () => {
    const [pool, heading] = readText('xl/credit-storm.xl-sched-credit').split('\n');
    fc.assert(
      fc.property(
        name,
        fc.nat({ max: 32751 }),
        fc.integer({ min: 1, max: 65535 }),
        fc.integer({ min: 1, max: 12800 }),
        (...row) => {
          const [shown, domid, weight, cap] = row;
          const text = `${pool}\n${heading}\n${shown.padEnd(33)} ${String(domid).padStart(4)} ${String(weight).padStart(6)} ${String(cap).padStart(4)}\n`;
          expect(parseXlSched(text)[0]!.domains).toEqual([{ domid, name: shown, weight, capCpus: cap / 100 }]);
        },
      ),
    );
  });

  test('cpupools', () => {
    const [heading] = readText('xl/credit-storm.xl-cpupool-list').split('\n');
    fc.assert(
      fc.property(name, fc.nat({ max: 999 }), small, (shown, cpus, domains) => {
        const text = `${heading}\n${shown.padEnd(19)}${String(cpus).padStart(3)}    credit       y       ${String(domains).padStart(4)}\n`;
        expect(parseXlCpupoolList(text)).toEqual([{ name: shown, cpus, scheduler: 'credit', domains }]);
      }),
    );
  });
});

const u32 = fc.nat({ max: 0xffffffff });
const counter = fc.nat({ max: Number.MAX_SAFE_INTEGER });

describe('what the kernel prints comes back', () => {
  test('integers', () => {
    fc.assert(
      fc.property(fc.maxSafeInteger(), (value) => {
        expect(parseInteger(`${value}\n`)).toBe(value);
      }),
    );
  });

  test('CPU times', () => {
    fc.assert(
      fc.property(fc.array(fc.array(counter, { minLength: 4, maxLength: 12 }), { minLength: 1 }), (rows) => {
        const text = rows.map((row, cpu) => `cpu${cpu} ${row.join(' ')}\n`).join('');
        expect(parseProcStat(text).map(({ cpu, ticks }) => [cpu, ...cpuModes.map((mode) => ticks[mode])])).toEqual(
          rows.map((row, cpu) => [String(cpu), ...cpuModes.map((_mode, column) => row[column] ?? 0)]),
        );
      }),
    );
  });

  test('pairs of lines of counters', () => {
    const name = fc.stringMatching(/^[A-Z][A-Za-z0-9]{0,20}$/);
    fc.assert(
      fc.property(
        fc.dictionary(name, fc.dictionary(name, counter, { noNullPrototype: true }), { minKeys: 1 }),
        (groups) => {
          const text = Object.entries(groups)
            .map(([prefix, values]) => {
              const line = (words: (string | number)[]): string => `${[`${prefix}:`, ...words].join(' ')}\n`;
              return line(Object.keys(values)) + line(Object.values(values));
            })
            .join('');
          expect(parseNetCounters(text)).toEqual(
            new Map(
              Object.entries(groups).flatMap(([prefix, values]) =>
                Object.entries(values).map(([key, value]): [string, number] => [`${prefix}.${key}`, value]),
              ),
            ),
          );
        },
      ),
    );
  });

  test('network devices', () => {
    const [first, second] = readText('guests/pv-storm/proc/net/dev').split('\n');
    fc.assert(
      fc.property(
        fc.uniqueArray(fc.stringMatching(/^[a-z][a-z0-9.:-]{0,13}[a-z0-9]$/)),
        fc.array(counter, { minLength: 16, maxLength: 16 }),
        (names, counters) => {
          const rows = names.map(
            (name) => `${name.padStart(6)}: ${counters.map((value) => String(value).padStart(7)).join(' ')}\n`,
          );
          const devices = parseNetDev(`${first}\n${second}\n${rows.join('')}`);
          expect([...devices].map(([name, device]) => [name, ...Object.values(device)])).toEqual(
            names.map((name) => [name, ...counters.slice(0, 4), ...counters.slice(8, 12)]),
          );
        },
      ),
    );
  });

  test('softnet rows', () => {
    fc.assert(
      fc.property(fc.array(fc.array(u32, { minLength: 9, maxLength: 15 }), { minLength: 1 }), (rows) => {
        const text = rows
          .map((row) => `${row.map((value) => value.toString(16).padStart(8, '0')).join(' ')}\n`)
          .join('');
        expect(parseSoftnetStat(text)).toEqual(
          rows.map((row) => ({
            ...(row[12] !== undefined && { cpu: row[12] }),
            processed: row[0],
            dropped: row[1],
            timeSqueezed: row[2],
            ...(row[11] !== undefined && { backlog: row[11] }),
          })),
        );
      }),
    );
  });

  test('listeners of /proc/net/tcp and tcp6, cut anywhere', () => {
    const hex = (value: number, digits = 8): string => value.toString(16).toUpperCase().padStart(digits, '0');
    const heading =
      '  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n';
    fc.assert(
      fc.property(
        fc.constantFrom('ipv4' as const, 'ipv6' as const),
        fc.array(
          fc.record({
            address: fc.tuple(u32, u32, u32, u32),
            port: fc.nat({ max: 65535 }),
            queueLength: u32,
            id: u32,
            uid: u32,
          }),
        ),
        fc.nat({ max: 400 }),
        (family, sockets, cut) => {
          const size = family === 'ipv4' ? 1 : 4;
          const rows = sockets.map(({ address, port, queueLength, id, uid }, index) => {
            const local = address
              .slice(0, size)
              .map((word) => hex(word))
              .join('');
            return `${String(index).padStart(4)}: ${local}:${hex(port, 4)} ${'0'.repeat(8 * size)}:0000 0A 00000000:${hex(queueLength)} 00:00000000 00000000 ${String(uid).padStart(5)}        0 ${id} 1 0000000000000000 100 0 0 10 0\n`;
          });
          const format = family === 'ipv4' ? formatIpv4 : formatIpv6;
          const all = sockets.map(({ address, port, queueLength, id, uid }) => ({
            family,
            address: format(words(...address)),
            port,
            queueLength,
            id,
            uid,
          }));
          const text = heading + rows.join('');
          expect(parseProcNetTcp(text, family)).toEqual(all);
          const beginning = text.slice(0, Math.max(heading.length, text.length - cut));
          const complete = beginning.split('\n').length - 2;
          expect(parseProcNetTcp(beginning, family)).toEqual(all.slice(0, complete));
          expect(hasAllListeners(text, false)).toBe(false);
        },
      ),
    );
  });

  test('IPv6 addresses: URL writes them the same way, but for the mapped ones', () => {
    const group = fc.oneof(fc.constant(0), fc.nat({ max: 0xffff }));
    fc.assert(
      fc.property(fc.array(group, { minLength: 8, maxLength: 8 }), (groups) => {
        const bytes = Uint8Array.from(groups.flatMap((value) => [value >>> 8, value & 0xff]));
        const canonical = new URL(`http://[${groups.map((value) => value.toString(16)).join(':')}]`).hostname;
        const text = formatIpv6(bytes);
        expect(new URL(`http://[${text}]`).hostname).toBe(canonical);
        if (!text.startsWith('::ffff:') || groups[5] !== 0xffff) expect(`[${text}]`).toBe(canonical);
      }),
    );
  });

  test('rows of sock_diag', () => {
    fc.assert(
      fc.property(
        fc.array(
          fc.record({
            port: fc.nat({ max: 65535 }),
            queueLength: u32,
            queueLimit: u32,
            drops: u32,
            id: u32,
            uid: u32,
            cgroupId: u32,
          }),
        ),
        (sockets) => {
          const messages = sockets.map(({ port, queueLength, queueLimit, drops, id, uid, cgroupId }) => {
            const ports = ((port & 0xff) << 8) | (port >>> 8);
            return message(20, [
              words(2 | (10 << 8), ports, ...Array<number>(9).fill(0), id, 0, 0, queueLength, queueLimit, uid, 0),
              attribute(21, words(cgroupId, 0)),
              attribute(7, words(0, 1, 2, 3, 4, 5, 6, 7, drops)),
            ]);
          });
          expect(parseInetDiag(dump(...messages))).toEqual({
            sockets: sockets.map((socket) => ({ family: 'ipv4', address: '0.0.0.0', ...socket })),
            interrupted: false,
          });
        },
      ),
    );
  });
});
