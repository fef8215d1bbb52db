import { parseNetCounters } from '../../formats/proc-net-counters.ts';
import type { FileTree } from '../../host/file-tree.ts';
import { parsed } from '../../sources/parsed.ts';
import type { TcpGrowth } from './probe-totals.ts';

/** Reads TCP's counters. A counter that the kernel lacks is 0. Throws FileError or ParseError. */
export const readTcp = (procfs: FileTree): TcpGrowth => {
  const snmp = parsed(procfs, 'net/snmp', parseNetCounters);
  const netstat = parsed(procfs, 'net/netstat', parseNetCounters);
  const extended = (name: string): number => netstat.get(`TcpExt.${name}`) ?? 0;
  return {
    passiveOpens: snmp.get('Tcp.PassiveOpens') ?? 0,
    anotherWay: extended('SyncookiesRecv') + extended('TCPFastOpenPassive'),
  };
};

export const tcpGrowth = (before: TcpGrowth, now: TcpGrowth): TcpGrowth => ({
  passiveOpens: now.passiveOpens - before.passiveOpens,
  anotherWay: now.anotherWay - before.anotherWay,
});
