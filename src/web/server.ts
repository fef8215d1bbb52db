import { createServer, type RequestListener, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';

/** Where to listen: a host (every address where empty) and a port. */
export interface ListenAddress {
  readonly host: string;
  readonly port: number;
}

const formatAddress = ({ address, family, port }: AddressInfo): string =>
  family === 'IPv6' ? `[${address}]:${port}` : `${address}:${port}`;

export interface RunningServer {
  /** The address that it listens on, with the port that the system assigned. */
  readonly address: string;
  /** Stops listening, lets responses end for at most `graceSeconds`, closes every connection. */
  close(graceSeconds: number): Promise<void>;
}

// A client has this long to send its headers, and may be silent this long (while it ought to read, too) before its connection is closed.
const headersTimeoutMs = 10_000;
const silenceTimeoutMs = 30_000;

/** Serves `handler` at an address. Rejects with the system's error where it cannot listen there. */
export const listen = (handler: RequestListener, { host, port }: ListenAddress): Promise<RunningServer> =>
  new Promise((resolve, reject) => {
    const server = createServer({ headersTimeout: headersTimeoutMs, requestTimeout: silenceTimeoutMs }, handler);
    server.setTimeout(silenceTimeoutMs);
    server.once('error', reject);
    server.listen({ port, ...(host !== '' && { host }) }, () => {
      server.off('error', reject);
      resolve({ address: formatAddress(server.address() as AddressInfo), close: (grace) => close(server, grace) });
    });
  });

const close = (server: Server, graceSeconds: number): Promise<void> =>
  new Promise((resolve) => {
    const timer = setTimeout(() => server.closeAllConnections(), graceSeconds * 1e3);
    server.close(() => {
      clearTimeout(timer);
      resolve();
    });
    server.closeIdleConnections();
  });
