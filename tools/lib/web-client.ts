import { once } from 'node:events';
import { request as httpRequest, type IncomingHttpHeaders, type IncomingMessage } from 'node:http';
import { connect as connectHttp2 } from 'node:http2';
import { request as httpsRequest } from 'node:https';
import { connect, type Socket } from 'node:net';
import { text } from 'node:stream/consumers';
import type { ConnectionOptions } from 'node:tls';

export interface Answer {
  status: number;
  headers: IncomingHttpHeaders;
  body: string;
}

export interface AskOptions {
  path?: string;
  method?: string;
  headers?: Readonly<Record<string, string>>;
  /** TLS options; plain HTTP if absent. */
  tls?: ConnectionOptions;
  socketPath?: string;
  localAddress?: string;
}

/** One HTTP/1.1 request on its own connection. Rejects if the connection fails or ends without a response. */
export const ask = async (port: number, options: AskOptions = {}): Promise<Answer> => {
  const { path = '/metrics', method = 'GET', headers = {}, tls, socketPath, localAddress } = options;
  const from = localAddress === undefined ? {} : { localAddress };
  const where = socketPath === undefined ? { host: '127.0.0.1', port, ...from } : { socketPath };
  const common = { ...where, path, method, headers, agent: false, signal: AbortSignal.timeout(10_000) };
  const outgoing = tls ? httpsRequest({ ...common, servername: 'localhost', ...tls }) : httpRequest(common);
  outgoing.end();
  const [response] = (await once(outgoing, 'response')) as [IncomingMessage];
  return { status: response.statusCode!, headers: response.headers, body: await text(response) };
};

/** One HTTP/2 request. */
export const askByHttp2 = async (
  port: number,
  tls: ConnectionOptions,
  headers: Readonly<Record<string, string>> = {},
): Promise<Answer> => {
  const session = connectHttp2(`https://localhost:${port}`, { host: '127.0.0.1', servername: 'localhost', ...tls });
  try {
    const failed = once(session, 'close').then(() => {
      throw Object.assign(new Error('the session ended without a response'), { code: 'ECONNRESET' });
    });
    failed.catch(() => {});
    session.on('error', () => {});
    const stream = session.request({ ':path': '/metrics', ...headers });
    stream.on('error', () => {});
    const [response] = (await Promise.race([once(stream, 'response'), failed])) as [
      IncomingHttpHeaders & { ':status': number },
    ];
    return { status: response[':status'], headers: response, body: await text(stream) };
  } finally {
    session.destroy();
  }
};

/** The Authorization header of these credentials. */
export const basicAuth = (user: string, password: string): { Authorization: string } => ({
  Authorization: `Basic ${Buffer.from(`${user}:${password}`).toString('base64')}`,
});

/** A connection controlled by the test, with the data received on it. */
export class RawClient implements Disposable {
  readonly socket: Socket;
  received = '';
  /** Settles when the connection has ended in any way. */
  readonly closed: Promise<void>;

  private constructor(socket: Socket) {
    this.socket = socket;
    this.closed = new Promise((resolve) => socket.once('close', () => resolve()));
    socket.on('error', () => {});
  }

  static async connect(port: number, options: { localAddress?: string; reads?: boolean } = {}): Promise<RawClient> {
    const { localAddress, reads = true } = options;
    const socket = connect({ port, host: '127.0.0.1', ...(localAddress !== undefined && { localAddress }) });
    const client = new RawClient(socket);
    if (reads) socket.on('data', (chunk: Buffer) => (client.received += chunk.toString('latin1')));
    await Promise.race([new Promise<void>((resolve) => socket.once('connect', () => resolve())), client.closed]);
    return client;
  }

  send(data: string): this {
    this.socket.write(data);
    return this;
  }

  get isOpen(): boolean {
    return !this.socket.destroyed && this.socket.readyState === 'open';
  }

  [Symbol.dispose](): void {
    this.socket.destroy();
  }
}
