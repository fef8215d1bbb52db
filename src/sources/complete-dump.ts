const attempts = 4;

/**
 * The first dump during which the kernel's table did not change (NLM_F_DUMP_INTR). After a few interrupted dumps the
 * last one, which may lack or duplicate rows: better than none on a machine that opens and closes sockets all the time.
 */
export const completeDump = <Dump extends { interrupted: boolean }>(dump: () => Dump): Dump => {
  let last = dump();
  for (let i = 1; last.interrupted && i < attempts; i += 1) last = dump();
  return last;
};
