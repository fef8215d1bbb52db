/** IP version of a socket. `ipv6` includes dual-stack sockets, which also accept IPv4 connections. */
export type IpFamily = 'ipv4' | 'ipv6';

/** The kernel's address families: AF_INET and AF_INET6 (include/linux/socket.h). */
export const addressFamilies: Readonly<Record<IpFamily, number>> = { ipv4: 2, ipv6: 10 };

/** Formats the four bytes from `at`, in network order, as a dotted quad. */
export const formatIpv4 = (bytes: Uint8Array, at = 0): string =>
  `${bytes[at]}.${bytes[at + 1]}.${bytes[at + 2]}.${bytes[at + 3]}`;

const groupAt = (bytes: Uint8Array, at: number, index: number): number =>
  (bytes[at + 2 * index]! << 8) | bytes[at + 2 * index + 1]!;

const isMapped = (bytes: Uint8Array, at: number): boolean => {
  for (let index = 0; index < 5; index += 1) if (groupAt(bytes, at, index) !== 0) return false;
  return groupAt(bytes, at, 5) === 0xffff;
};

/** Formats the sixteen bytes from `at`, in network order, as in RFC 5952; IPv4-mapped ones as `::ffff:192.0.2.1`. */
export const formatIpv6 = (bytes: Uint8Array, at = 0): string => {
  if (isMapped(bytes, at)) return `::ffff:${formatIpv4(bytes, at + 12)}`;

  // RFC 5952, 4.2: "::" replaces the longest run of zero groups, the first of equal ones, but never a single group.
  let runStart = -1;
  let runLength = 1;
  for (let index = 0, zeros = 0; index < 8; index += 1) {
    zeros = groupAt(bytes, at, index) === 0 ? zeros + 1 : 0;
    if (zeros > runLength) {
      runLength = zeros;
      runStart = index - zeros + 1;
    }
  }

  let text = '';
  for (let index = 0; index < 8; index += 1) {
    if (index === runStart) {
      text += '::';
      index += runLength - 1;
      continue;
    }
    if (text !== '' && !text.endsWith(':')) text += ':';
    text += groupAt(bytes, at, index).toString(16);
  }
  return text;
};

const bytesOf = (groups: string): number[] =>
  groups.split(':').flatMap((group) => {
    if (group.includes('.')) return group.split('.').map(Number);
    const value = parseInt(group, 16);
    return Number.isNaN(value) ? [] : [value >> 8, value & 0xff];
  });

/** Bytes of an address in network order: the reverse of `formatIpv4` and `formatIpv6`. */
export const ipBytes = (address: string): number[] => {
  const [head = '', tail] = address.split('::');
  if (tail === undefined) return bytesOf(head);
  const [before, after] = [bytesOf(head), bytesOf(tail)];
  return [...before, ...Array<number>(16 - before.length - after.length).fill(0), ...after];
};
