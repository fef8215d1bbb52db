import { parseInteger } from '../formats/integer.ts';
import { isRootQdisc, parseQdiscs, qdiscRequest, type Qdisc } from '../formats/rtnetlink-qdisc.ts';
import type { FileTree } from '../host/file-tree.ts';
import { NetlinkUnavailable, type Netlink } from '../host/netlink.ts';
import { completeDump } from './complete-dump.ts';
import { parsedIfAny } from './parsed.ts';

/** The root qdiscs by interface index, or in words why they cannot be read: netlink cannot be spoken here. */
export const rootQdiscs = (netlink: Netlink): Map<number, Qdisc> | string => {
  try {
    const { qdiscs } = completeDump(() => parseQdiscs(netlink.exchange('route', qdiscRequest())));
    return new Map(qdiscs.filter(isRootQdisc).map((qdisc) => [qdisc.ifindex, qdisc]));
  } catch (error) {
    if (error instanceof NetlinkUnavailable) return error.message;
    throw error;
  }
};

/** The root qdisc of a network device. Throws FileError or ParseError. */
export const rootQdiscOf = (
  device: string,
  qdiscs: ReadonlyMap<number, Qdisc> | string,
  sysfs: FileTree,
): Qdisc | undefined => {
  if (typeof qdiscs === 'string') return undefined;
  const index = parsedIfAny(sysfs, `class/net/${device}/ifindex`, parseInteger);
  return index === undefined ? undefined : qdiscs.get(index);
};
