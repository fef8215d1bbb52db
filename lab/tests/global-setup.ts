import { prepareTools } from '../../tools/lib/debian.ts';

/** Downloads the tools that the tests run locally. */
export default async function setup(): Promise<void> {
  await prepareTools(['prometheus']);
}
