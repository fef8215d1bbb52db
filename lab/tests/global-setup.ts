import { prepareTools } from '../../tools/lib/debian.ts';

/** Fetches the tools of the machine that the tests run on. */
export default async function setup(): Promise<void> {
  await prepareTools(['prometheus']);
}
