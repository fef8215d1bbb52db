import { dirname, resolve } from 'node:path';
import { parseConfigFile } from '../../config/config-file.ts';
import { describeAt } from '../../config/issue.ts';
import { UsageError } from '../../config/usage-error.ts';
import { FileError, FileTree } from '../../host/file-tree.ts';
import { CertificateError, loadIdentity, type Identity } from './certificates.ts';
import { openConfig, parseWebConfig, type PemSource, type WebConfig } from './web-config.ts';

/** A web config with the certificates that it names. */
export interface LoadedConfig extends WebConfig {
  readonly identity: Identity | undefined;
}

/** The config without a web config file. */
export const openDoor: LoadedConfig = { ...openConfig, identity: undefined };

const mostBytes = 1 << 20;
const root = new FileTree('/');

/** Content of the file and the files that it names, or the reason why a file cannot be read. */
type Contents = ReadonlyMap<string, string | FileError>;

/** A web config file and the files that it names. */
export class WebConfigFile {
  readonly path: string;
  #contents: Contents = new Map();

  constructor(path: string) {
    this.path = resolve(path);
  }

  /** Returns whether any of the files changed since the last `load`. */
  changed(): boolean {
    for (const [path, before] of this.#contents) {
      const now = read(path);
      const isSame =
        now instanceof FileError ? before instanceof FileError && now.message === before.message : now === before;
      if (!isSame) return true;
    }
    return false;
  }

  /** Reads all files. Throws UsageError with file and line. */
  load(): LoadedConfig {
    const contents = new Map<string, string | FileError>();
    this.#contents = contents;
    const text = (path: string): string => {
      const content = read(path);
      contents.set(path, content);
      if (content instanceof FileError) throw content;
      return content;
    };
    try {
      return this.#parse(text(this.path), text);
    } catch (error) {
      if (error instanceof FileError) throw new UsageError(`--web.config.file: ${error.message}`, { cause: error });
      throw error;
    }
  }

  #parse(source: string, text: (path: string) => string): LoadedConfig {
    const file = parseConfigFile(this.path, source);
    const config = parseWebConfig(file);
    if (config.tls === undefined) return { ...config, identity: undefined };
    const pem = (from: PemSource): string => {
      if ('text' in from) return from.text;
      try {
        return text(resolve(dirname(this.path), from.file));
      } catch (error) {
        throw new CertificateError(from.key, (error as Error).message);
      }
    };
    try {
      return { ...config, identity: loadIdentity(config.tls, pem) };
    } catch (error) {
      if (!(error instanceof CertificateError)) throw error;
      throw new UsageError(describeAt(file, error.path, error.message), { cause: error });
    }
  }
}

const read = (path: string): string | FileError => {
  try {
    return root.text(path, mostBytes);
  } catch (error) {
    if (error instanceof FileError) return error;
    throw error;
  }
};
