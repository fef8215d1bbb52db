import { addressFamilies, ipBytes, type IpFamily } from './ip-address.ts';

/** Identity of a listener. */
export interface ListenAddress {
  readonly family: IpFamily;
  readonly address: string;
  readonly port: number;
}

// include/uapi/linux/inet_diag.h
const INET_DIAG_BC_JMP = 1;
const INET_DIAG_BC_S_GE = 2;
const INET_DIAG_BC_S_COND = 7;

/** struct inet_diag_bc_op: jumps `yes` bytes ahead if the condition holds, else `no` bytes. */
const operation = (code: number, yes: number, no: number, operands: readonly number[] = []): number[] => [
  code,
  yes,
  no & 0xff,
  no >> 8,
  ...operands,
];

/** struct inet_diag_hostcond: a full address and its port. */
const hostCondition = ({ family, address, port }: ListenAddress): number[] => {
  const bytes = ipBytes(address);
  return [addressFamilies[family], 8 * bytes.length, 0, 0, port & 0xff, port >> 8, 0, 0, ...bytes];
};

/**
 * A sock_diag program (INET_DIAG_REQ_BYTECODE) with which the kernel selects the sockets of these listeners (at least
 * one). A tree over the ports, because the kernel runs it for every socket. `after` is the size of the program behind
 * this part. A jump to the end selects the socket; a jump four bytes further rejects it.
 */
export const filterProgram = (listeners: readonly ListenAddress[], after = 0): number[] => {
  const ports = [...new Set(listeners.map(({ port }) => port))].sort((a, b) => a - b);
  if (ports.length > 1) {
    const middle = ports[ports.length >> 1]!;
    const isLower = ({ port }: ListenAddress): boolean => port < middle;
    const lower = filterProgram(listeners.filter(isLower), after);
    const upper = filterProgram(
      listeners.filter((each) => !isLower(each)),
      after + lower.length,
    );
    return [...operation(INET_DIAG_BC_S_GE, 8, 8 + upper.length, operation(0, 0, middle)), ...upper, ...lower];
  }
  return listeners.reduceRight<number[]>((others, listener) => {
    const pick = operation(INET_DIAG_BC_JMP, 4, 4 + others.length + after);
    const condition = hostCondition(listener);
    const size = 4 + condition.length;
    const next = size + pick.length + (others.length > 0 ? 0 : after + 4);
    return [...operation(INET_DIAG_BC_S_COND, size, next, condition), ...pick, ...others];
  }, []);
};
