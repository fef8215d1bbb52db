import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { createReadStream } from 'node:fs';
import { join } from 'node:path';
import { exitOf, stderrOf } from '../../tools/lib/child.ts';
import { commandOutput } from '../../tools/lib/command.ts';

export interface Access {
  /** Port of 127.0.0.1 that is forwarded to its sshd. */
  sshPort: number;
  /** Port of 127.0.0.1 that is forwarded to its exporter. */
  exporterPort: number;
  key: string;
  /** A short path for ssh's sockets. */
  folder: string;
}

/** Dom0 or a guest of the lab. */
export class Machine {
  readonly name: string;
  readonly ip: string;
  readonly exporterPort: number;
  readonly #ssh: string[];

  constructor(name: string, ip: string, { sshPort, exporterPort, key, folder }: Access) {
    this.name = name;
    this.ip = ip;
    this.exporterPort = exporterPort;
    const options = {
      StrictHostKeyChecking: 'no',
      UserKnownHostsFile: '/dev/null',
      LogLevel: 'ERROR',
      BatchMode: 'yes',
      ConnectTimeout: '20',
      // A new connection takes seconds under emulation, so one is reused. It is given up soon after its machine is
      // gone.
      ControlMaster: 'auto',
      ControlPath: join(folder, `ssh-${name}`),
      ControlPersist: '600',
      ServerAliveInterval: '5',
      ServerAliveCountMax: '4',
    };
    this.#ssh = [
      ...['-i', key, '-p', String(sshPort)],
      ...Object.entries(options).flatMap(([option, value]) => ['-o', `${option}=${value}`]),
      'root@127.0.0.1',
    ];
  }

  /** Runs a shell command as root and returns its standard output. Throws unless the status is 0. */
  run(script: string, { timeoutMs = 120_000 } = {}): Promise<string> {
    return commandOutput('ssh', [...this.#ssh, script], { timeoutMs, title: `in ${this.name}: ${script}` });
  }

  /** Whether the shell command could be run with status 0. */
  async succeeds(script: string, timeoutMs = 30_000): Promise<boolean> {
    return this.run(script, { timeoutMs }).then(
      () => true,
      () => false,
    );
  }

  /** Unpacks a local tar.gz file into a folder of the machine. */
  unpack(archive: string, folder: string): Promise<void> {
    return this.#feed(archive, `mkdir -p ${folder} && tar -xzf - -C ${folder}`);
  }

  /** Copies a local file to a path of the machine. */
  send(file: string, path: string): Promise<void> {
    return this.#feed(file, `cat >${path}`);
  }

  /**
   * Opens a terminal in the machine, or runs a command with this process's input and output. Returns its exit status.
   */
  async attach(command: readonly string[]): Promise<number> {
    const child = this.#spawn(command.join(' '), 'inherit', command.length === 0 ? ['-t'] : []);
    const [code] = (await once(child, 'exit')) as [number | null];
    return code ?? 1;
  }

  /** Runs a shell command with a local file as its input. */
  async #feed(file: string, script: string): Promise<void> {
    const child = this.#spawn(script, ['pipe', 'ignore', 'pipe']);
    const exited = exitOf(child);
    const complaints = stderrOf(child);
    createReadStream(file).pipe(child.stdin!);
    child.stdin!.on('error', () => {});
    if ((await exited).code !== 0) throw new Error(`${file} to ${this.name}: ${complaints()}`);
  }

  #spawn(script: string, stdio: 'inherit' | ['pipe', 'ignore', 'pipe'], flags: readonly string[] = []): ChildProcess {
    return spawn('ssh', [...flags, ...this.#ssh, ...(script === '' ? [] : [script])], { stdio });
  }
}
