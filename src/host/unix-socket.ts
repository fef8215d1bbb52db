import { once } from 'node:events';
import { chmodSync, rmSync, statSync } from 'node:fs';
import { connect, type Server } from 'node:net';
import { dirname } from 'node:path';

export const AF_UNIX = 1;
// Read and write for its user and group.
const mode = 0o660;

/** struct sockaddr_un of unix(7): a path, or an abstract name after an @. */
export const unixAddress = (path: string): Buffer => {
  const family = Buffer.alloc(2);
  family.writeUInt16LE(AF_UNIX);
  return path.startsWith('@')
    ? Buffer.concat([family, Buffer.from(`\0${path.slice(1)}`)])
    : Buffer.concat([family, Buffer.from(`${path}\0`)]);
};

/**
 * Listens on a Unix socket that its user and group may open. Replaces the socket of a killed process. Rejects if it
 * cannot.
 */
export const listenOnPath = async (server: Server, path: string): Promise<void> => {
  requireFolderOf(path);
  await removeStaleSocket(path);
  server.listen({ path });
  await once(server, 'listening');
  chmodSync(path, mode);
};

// libuv turns bind's ENOENT into EACCES (uv_pipe_bind2), which suggests wrong permissions.
const requireFolderOf = (path: string): void => {
  const folder = dirname(path);
  const stats = statSync(folder, { throwIfNoEntry: false });
  if (stats?.isDirectory()) return;
  throw new Error(
    `cannot listen on unix:${path}: ${stats ? `${folder} is not a folder` : `the folder ${folder} does not exist`}`,
  );
};

// A socket without a listener is left over from a killed process.
const removeStaleSocket = async (path: string): Promise<void> => {
  if (!(statSync(path, { throwIfNoEntry: false })?.isSocket() ?? false)) return;
  const isStale = await new Promise<boolean>((resolve) => {
    const probe = connect(path);
    probe.once('connect', () => {
      probe.destroy();
      resolve(false);
    });
    probe.once('error', (error: NodeJS.ErrnoException) => resolve(error.code === 'ECONNREFUSED'));
  });
  if (isStale) rmSync(path);
};
