import koffi from 'koffi';
import { AF_UNIX, unixAddress } from '../../src/host/unix-socket.ts';

const SOCK_DGRAM_NONBLOCK_CLOEXEC = 2 | 0o4000 | 0o2000000;
const mostBytes = 4096;

const libc = koffi.load('libc.so.6');
const libcSocket = libc.func('int socket(int, int, int)');
const libcBind = libc.func('int bind(int, const uint8_t *, uint32_t)');
const libcRecv = libc.func('long recv(int, _Out_ uint8_t *, size_t, int)');
const libcClose = libc.func('int close(int)');

/** A Unix datagram socket like a service manager's; Node has none. */
export class Datagrams implements Disposable {
  readonly #socket: number;

  /** `path` is the socket's path, or an abstract name after an @. */
  constructor(path: string) {
    this.#socket = libcSocket(AF_UNIX, SOCK_DGRAM_NONBLOCK_CLOEXEC, 0) as number;
    const address = unixAddress(path);
    if (libcBind(this.#socket, address, address.length) !== 0) throw new Error(`bind ${path}: errno ${koffi.errno()}`);
  }

  /** The next datagram; undefined if none has arrived. */
  next(): string | undefined {
    const bytes = Buffer.alloc(mostBytes);
    const length = Number(libcRecv(this.#socket, bytes, bytes.length, 0));
    return length < 0 ? undefined : bytes.toString('utf8', 0, length);
  }

  [Symbol.dispose](): void {
    libcClose(this.#socket);
  }
}
