import { loadLibc } from './libc.ts';

/** Kernel facts by processor: its audit name for seccomp, and its system call numbers (asm/unistd.h). */
interface Machine {
  readonly audit: number;
  readonly seccomp: number;
  readonly calls: Readonly<Record<DeniedCall, number>>;
}

/** System calls that can be denied. */
export type DeniedCall = 'execve' | 'execveat' | 'bind' | 'listen' | 'io_uring_setup' | 'io_uring_register';

// New calls have the same number on all processors.
const newCalls = { io_uring_setup: 425, io_uring_register: 427 };
const machines: Readonly<Record<string, Machine>> = {
  x64: { audit: 0xc000_003e, seccomp: 317, calls: { execve: 59, execveat: 322, bind: 49, listen: 50, ...newCalls } },
  arm64: {
    audit: 0xc000_00b7,
    seccomp: 277,
    calls: { execve: 221, execveat: 281, bind: 200, listen: 201, ...newCalls },
  },
};

/** Calls that start programs. */
export const startingPrograms: readonly DeniedCall[] = ['execve', 'execveat'];
/**
 * Calls that create an io_uring, whose operations bypass system call filters: since Linux 6.11 they include bind and
 * listen. Not io_uring_enter: Node aborts without it, because libuv creates a ring at its start. The units deny that
 * call too, before Node starts.
 */
export const makingRings: readonly DeniedCall[] = ['io_uring_setup', 'io_uring_register'];
/** Calls that give a socket an address of its own, such as a port. */
export const listening: readonly DeniedCall[] = ['bind', 'listen'];

const PR_SET_NO_NEW_PRIVS = 38;
const SECCOMP_SET_MODE_FILTER = 1;
const SECCOMP_FILTER_FLAG_TSYNC = 1;
// Classic BPF on struct seccomp_data: call number at 0, processor at 4 (linux/filter.h, linux/seccomp.h).
const load = 0x20;
const jumpIfEqual = 0x15;
const jumpIfAtLeast = 0x35;
const give = 0x06;
const allow = 0x7fff_0000;
const EPERM = 0x0005_0001;
// Numbers of another ABI of the same processor (x32) begin here.
const otherCalls = 0x4000_0000;

/** Code, instructions to skip if true, instructions to skip if false, operand. */
type Instruction = readonly [number, number, number, number];

/** Denies calls of another processor or ABI, and calls with these numbers. The last line denies. */
const filterOf = (audit: number, numbers: readonly number[]): readonly Instruction[] => [
  [load, 0, 0, 4],
  [jumpIfEqual, 0, numbers.length + 3, audit],
  [load, 0, 0, 0],
  [jumpIfAtLeast, numbers.length + 1, 0, otherCalls],
  ...numbers.map((number, index): Instruction => [jumpIfEqual, numbers.length - index, 0, number]),
  [give, 0, 0, allow],
  [give, 0, 0, EPERM],
];

const encodeFilter = (filter: readonly Instruction[]): Buffer =>
  Buffer.concat(
    filter.map(([code, then, otherwise, operand]) => {
      const bytes = Buffer.alloc(8);
      bytes.writeUInt16LE(code, 0);
      bytes.writeUInt8(then, 2);
      bytes.writeUInt8(otherwise, 3);
      bytes.writeUInt32LE(operand, 4);
      return bytes;
    }),
  );

/**
 * Makes these calls fail with EPERM, permanently, in all threads of this process and its children (seccomp(2)). Rejects
 * if the kernel or the native add-on refuses.
 */
export const installSeccompFilter = async (calls: readonly DeniedCall[]): Promise<void> => {
  const machine = machines[process.arch];
  if (!machine) {
    throw new Error(`expected one of the processors ${Object.keys(machines).join(', ')}, found ${process.arch}`);
  }
  const { func, errno, errorName, addressOf } = await loadLibc();
  const prctl = func('int prctl(int, unsigned long, unsigned long, unsigned long, unsigned long)');
  const syscall = func('long syscall(long, unsigned long, unsigned long, const void *)');
  const numbers = calls.map((call) => machine.calls[call]);
  const filter = encodeFilter(filterOf(machine.audit, numbers));
  // struct sock_fprog: number of instructions and their address.
  const program = Buffer.alloc(16);
  program.writeUInt16LE(filter.length / 8, 0);
  program.writeBigUInt64LE(addressOf(filter), 8);
  if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) !== 0) throw new Error(`prctl: ${errorName(errno())}`);
  const outcome = syscall(machine.seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_TSYNC, program);
  if (outcome !== 0) throw new Error(`seccomp: ${outcome > 0 ? `thread ${outcome} refused` : errorName(errno())}`);
};
