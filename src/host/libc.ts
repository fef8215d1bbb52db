import type { load } from 'koffi';

/** The C library of this process. */
export interface Libc {
  /** A function of it, by its prototype in C. Throws where there is none. */
  func(prototype: string): ReturnType<ReturnType<typeof load>['func']>;
  /** Of the call before. */
  errno(): number;
  /** Such as EACCES. */
  errorName(errno: number): string;
}

/** Loads the add-on that calls C, when it is first needed. Rejects where it cannot be loaded. */
export const loadLibc = async (): Promise<Libc> => {
  const { default: koffi } = await import('koffi');
  const { getSystemErrorName } = await import('node:util');
  const libc = koffi.load(null);
  return {
    func: (prototype) => libc.func(prototype),
    errno: () => koffi.errno(),
    errorName: (errno) => getSystemErrorName(-errno),
  };
};
