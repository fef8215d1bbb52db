import { ParseError, quote } from './parse-error.ts';

/**
 * Real user of a process, as a number of the reader's user namespace: `Uid:` of /proc/PID/status (fs/proc/array.c,
 * task_state). The name in the first line has its newlines escaped. Throws ParseError.
 */
export const parseRealUid = (status: string): number => {
  const [, uid] = /^Uid:\t(\d+)\t/m.exec(status) ?? [];
  if (uid === undefined) throw new ParseError('a line "Uid: ..."', quote(status));
  return Number(uid);
};
