import koffi from 'koffi';

// TCP sockets straight from libc: Node accepts each connection immediately, and tests of accept queues must control
// accept().

const libc = koffi.load('libc.so.6');
const libcSocket = libc.func('int socket(int, int, int)');
const libcBind = libc.func('int bind(int, const uint8_t *, uint32_t)');
const libcListen = libc.func('int listen(int, int)');
const libcConnect = libc.func('int connect(int, const uint8_t *, uint32_t)');
const libcAccept = libc.func('int accept4(int, void *, void *, int)');
const libcClose = libc.func('int close(int)');
const libcSetOption = libc.func('int setsockopt(int, int, int, const int *, uint32_t)');
const libcGetOption = libc.func('int getsockopt(int, int, int, _Out_ uint8_t *, _Inout_ uint32_t *)');
const libcUnshare = libc.func('int unshare(int)');
const libcGetName = libc.func('int getsockname(int, _Out_ uint8_t *, _Inout_ uint32_t *)');

// include/uapi/asm-generic/socket.h, include/uapi/linux/{in6,tcp}.h and include/linux/net.h
const AF_INET = 2;
const AF_INET6 = 10;
const SOCK_STREAM = 1;
const SOCK_NONBLOCK = 0o4000;
const SOCK_CLOEXEC = 0o2000000;
const SOL_SOCKET = 1;
const SO_REUSEADDR = 2;
const SO_REUSEPORT = 15;
const IPPROTO_TCP = 6;
const TCP_DEFER_ACCEPT = 9;
const TCP_INFO = 11;
const IPPROTO_IPV6 = 41;
const IPV6_V6ONLY = 26;
const EINTR = 4;
const EAGAIN = 11;
const EINPROGRESS = 115;
const CLONE_NEWNET = 0x40000000;
const ECONNABORTED = 103;

export type Family = 'ipv4' | 'ipv6';

export interface ListenOptions {
  /** Numeric address. Default: the family's loopback address. */
  host?: string;
  family?: Family;
  /** Default, and for 0: assigned by the system. */
  port?: number;
  backlog: number;
  reusePort?: boolean;
  deferAcceptSeconds?: number;
  /** Default: net.ipv6.bindv6only. */
  v6only?: boolean;
}

export function openListener(options: ListenOptions): { fd: number; port: number } {
  const family = options.family ?? 'ipv4';
  const fd = check('socket', libcSocket(domain(family), SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  try {
    setOption(fd, SOL_SOCKET, SO_REUSEADDR, 1);
    if (options.reusePort === true) setOption(fd, SOL_SOCKET, SO_REUSEPORT, 1);
    if (options.v6only !== undefined) setOption(fd, IPPROTO_IPV6, IPV6_V6ONLY, options.v6only ? 1 : 0);
    if (options.deferAcceptSeconds !== undefined) {
      setOption(fd, IPPROTO_TCP, TCP_DEFER_ACCEPT, options.deferAcceptSeconds);
    }
    const address = socketAddress(family, options.host ?? loopback(family), options.port ?? 0);
    check('bind', libcBind(fd, address, address.length));
    check('listen', libcListen(fd, options.backlog));
    return { fd, port: boundPort(fd) };
  } catch (error) {
    closeSocket(fd);
    throw error;
  }
}

/** Connects and waits: on loopback only for the call, unless the listener's queue is full. */
export function connectSocket(family: Family, host: string, port: number): number {
  const fd = check('socket', libcSocket(domain(family), SOCK_STREAM | SOCK_CLOEXEC, 0));
  try {
    const address = socketAddress(family, host, port);
    check('connect', libcConnect(fd, address, address.length));
    return fd;
  } catch (error) {
    closeSocket(fd);
    throw error;
  }
}

/** Starts to connect without waiting. */
export function beginConnection(family: Family, host: string, port: number): number {
  const fd = check('socket', libcSocket(domain(family), SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  const address = socketAddress(family, host, port);
  const result = libcConnect(fd, address, address.length) as number;
  if (result !== 0 && koffi.errno() !== EINPROGRESS) check('connect', result);
  return fd;
}

/** Moves this thread to a new network namespace. */
export function moveToNewNamespace(): void {
  check('unshare', libcUnshare(CLONE_NEWNET));
}

/** The oldest connection in the listener's accept queue; undefined if it is empty. */
export function acceptSocket(listener: number): number | undefined {
  for (;;) {
    const fd = libcAccept(listener, null, null, SOCK_NONBLOCK | SOCK_CLOEXEC) as number;
    if (fd >= 0) return fd;
    const errno = koffi.errno();
    if (errno === EAGAIN) return undefined;
    if (errno !== EINTR && errno !== ECONNABORTED) check('accept4', fd);
  }
}

export function closeSocket(fd: number): void {
  check('close', libcClose(fd));
}

/** Connections in the accept queue: sk_ack_backlog, which a listener's TCP_INFO reports as tcpi_unacked. */
export function acceptQueueLength(listener: number): number {
  const info = Buffer.alloc(64);
  check('getsockopt TCP_INFO', libcGetOption(listener, IPPROTO_TCP, TCP_INFO, info, [info.length]));
  const offsetOfUnacked = 24;
  return info.readUInt32LE(offsetOfUnacked);
}

const domain = (family: Family) => (family === 'ipv4' ? AF_INET : AF_INET6);

const loopback = (family: Family) => (family === 'ipv4' ? '127.0.0.1' : '::1');

function setOption(fd: number, level: number, option: number, value: number): void {
  check(`setsockopt ${level} ${option}`, libcSetOption(fd, level, option, [value], 4));
}

function boundPort(fd: number): number {
  const address = Buffer.alloc(28);
  check('getsockname', libcGetName(fd, address, [address.length]));
  return address.readUInt16BE(2);
}

/** struct sockaddr_in or sockaddr_in6: family, port, (flow), address, (scope). */
function socketAddress(family: Family, host: string, port: number): Buffer {
  const bytes = Buffer.alloc(family === 'ipv4' ? 16 : 28);
  bytes.writeUInt16LE(domain(family), 0);
  bytes.writeUInt16BE(port, 2);
  if (family === 'ipv4') bytes.set(ipv4Bytes(host), 4);
  else bytes.set(ipv6Bytes(host), 8);
  return bytes;
}

const ipv4Bytes = (host: string) => host.split('.').map(Number);

function ipv6Bytes(host: string): Buffer {
  const groups = (text: string) => (text === '' ? [] : text.split(':').map((group) => Number.parseInt(group, 16)));
  // The URL parser writes every address in groups, including ::ffff:127.0.0.1.
  const [head = '', tail] = new URL(`http://[${host}]`).hostname.slice(1, -1).split('::');
  const first = groups(head);
  const last = groups(tail ?? '');
  const all = [...first, ...Array<number>(8 - first.length - last.length).fill(0), ...last];
  const bytes = Buffer.alloc(16);
  all.forEach((group, index) => bytes.writeUInt16BE(group, 2 * index));
  return bytes;
}

function check(call: string, result: unknown): number {
  if (typeof result !== 'number' || result < 0) {
    const errno = koffi.errno();
    const name = Object.entries(koffi.os.errno).find(([, value]) => value === errno)?.[0];
    throw new Error(`${call}: ${name ?? `errno ${errno}`}`);
  }
  return result;
}
