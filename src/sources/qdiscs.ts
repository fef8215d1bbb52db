import { Unavailable } from '../host/unavailable.ts';
import { parseInteger } from '../formats/integer.ts';
import { isRootQdisc, parseQdiscs, qdiscRequest, type Qdisc } from '../formats/rtnetlink-qdisc.ts';
import type { FileTree } from '../host/file-tree.ts';
import { NetlinkUnavailable, type Netlink } from '../host/netlink.ts';
import { completeDump } from './complete-dump.ts';
import { parsedIfAny, readItem, type Skips } from './parsed.ts';

/** Root qdiscs by interface index, or why netlink is unavailable. A malformed list is skipped and empty. */
export const rootQdiscs = (netlink: Netlink, skips: Skips): Map<number, Qdisc> | Unavailable => {
  try {
    const dump = readItem(skips, () => completeDump(() => parseQdiscs(netlink.exchange('route', qdiscRequest()))));
    return new Map(dump?.qdiscs.filter(isRootQdisc).map((qdisc) => [qdisc.ifindex, qdisc] as const));
  } catch (error) {
    if (error instanceof NetlinkUnavailable) return Unavailable.because(error);
    throw error;
  }
};

/** Root qdisc of a network device. Throws FileError or ParseError. */
export const rootQdiscOf = (
  device: string,
  qdiscs: ReadonlyMap<number, Qdisc> | Unavailable,
  sysfs: FileTree,
): Qdisc | undefined => {
  if (qdiscs instanceof Unavailable) return undefined;
  const index = parsedIfAny(sysfs, `class/net/${device}/ifindex`, parseInteger);
  return index === undefined ? undefined : qdiscs.get(index);
};
