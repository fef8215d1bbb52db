import type { load } from 'koffi';

/** The C library of this process. */
export interface Libc {
  /** A function by its C prototype. Throws if it does not exist. */
  func(prototype: string): ReturnType<ReturnType<typeof load>['func']>;
  /** errno of the previous call. */
  errno(): number;
  /** Such as EACCES. */
  errorName(errno: number): string;
  /** Address of these bytes, for structures with pointers. The bytes must outlive the call. */
  addressOf(bytes: Uint8Array): bigint;
}

/** Loads the native add-on for C calls on first use. Rejects if it cannot be loaded. */
export const loadLibc = async (): Promise<Libc> => {
  const { default: koffi } = await import('koffi');
  const { getSystemErrorName } = await import('node:util');
  const libc = koffi.load(null);
  return {
    func: (prototype) => libc.func(prototype),
    errno: () => koffi.errno(),
    errorName: (errno) => getSystemErrorName(-errno),
    addressOf: (bytes) => koffi.address(bytes),
  };
};

/** Socket calls that Node lacks: netlink, datagrams to a path, blocking answers. As in socket(2) etc. */
export interface SocketCalls extends Pick<Libc, 'errno' | 'errorName'> {
  socket(family: number, type: number, protocol: number): number;
  connect(socket: number, address: Uint8Array, length: number): number;
  setsockopt(socket: number, level: number, option: number, value: Uint8Array, length: number): number;
  send(socket: number, bytes: Uint8Array, length: number, flags: number): number;
  recv(socket: number, bytes: Uint8Array, length: number, flags: number): number;
  close(socket: number): number;
}

export const SOCK_CLOEXEC = 0o2000000;
export const EAGAIN = 11;

export const socketCalls = ({ func, errno, errorName }: Libc): SocketCalls => ({
  socket: func('int socket(int, int, int)'),
  connect: func('int connect(int, const void *, uint32_t)'),
  setsockopt: func('int setsockopt(int, int, int, const void *, uint32_t)'),
  send: func('long send(int, const void *, size_t, int)'),
  recv: func('long recv(int, void *, size_t, int)'),
  close: func('int close(int)'),
  errno,
  errorName,
});

/** Rejects if the native add-on cannot be loaded. */
export const loadSocketCalls = async (): Promise<SocketCalls> => socketCalls(await loadLibc());
