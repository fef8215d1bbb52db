import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { commandOutput } from '../../tools/lib/command.ts';
import { debianTool } from '../../tools/lib/debian.ts';

/** A certificate and its key, in files. */
export interface Certificate {
  certFile: string;
  keyFile: string;
  cert: string;
  key: string;
}

// openssl's own file may be missing if the tool was unpacked.
const opensslConfig = '[req]\ndistinguished_name = dn\nprompt = no\n[dn]\nCN = xen-exporter tests\n';

/** Creates certificates for one day with throw-away keys. */
export class CertificateAuthority {
  readonly #folder: string;
  readonly #ca: Certificate;

  private constructor(folder: string, ca: Certificate) {
    this.#folder = folder;
    this.#ca = ca;
  }

  /** Creates an authority with files in `folder`. */
  static async create(folder: string, name = 'ca'): Promise<CertificateAuthority> {
    writeFileSync(join(folder, 'openssl.cnf'), opensslConfig);
    const ca = await make(folder, name, ['-addext', 'basicConstraints=critical,CA:TRUE']);
    return new CertificateAuthority(folder, ca);
  }

  get certFile(): string {
    return this.#ca.certFile;
  }

  get cert(): string {
    return this.#ca.cert;
  }

  /** Issues a certificate for these names, such as `DNS:localhost`, in the files NAME.pem and NAME.key. */
  issue(name: string, sans: readonly string[], more: readonly string[] = []): Promise<Certificate> {
    const { certFile, keyFile } = this.#ca;
    const names = sans.length === 0 ? [] : ['-addext', `subjectAltName=${sans.join(',')}`];
    return make(this.#folder, name, ['-CA', certFile, '-CAkey', keyFile, ...names, ...more]);
  }
}

const make = async (folder: string, name: string, args: readonly string[]): Promise<Certificate> => {
  const { path, env } = await debianTool('openssl');
  const certFile = join(folder, `${name}.pem`);
  const keyFile = join(folder, `${name}.key`);
  const key = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-keyout', keyFile];
  await commandOutput(
    path,
    [
      'req',
      '-x509',
      '-config',
      join(folder, 'openssl.cnf'),
      '-days',
      '1',
      '-subj',
      `/CN=${name}`,
      ...key,
      ...args,
    ].concat('-out', certFile),
    { env },
  );
  return { certFile, keyFile, cert: readFileSync(certFile, 'utf8'), key: readFileSync(keyFile, 'utf8') };
};
