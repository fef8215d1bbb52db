import { Toolstack } from '../../src/sources/toolstack/toolstack.ts';
import type { Host } from '../../src/host/host.ts';

/** The toolstack of a host, with the usual cadences. */
export const toolstackOf = (host: Host): Toolstack =>
  new Toolstack(host, { intervalSeconds: 5, schedule: '*/5 * * * *', timeoutSeconds: 10 });
