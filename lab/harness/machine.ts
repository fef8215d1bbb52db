import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { createReadStream } from 'node:fs';
import { join } from 'node:path';
import { exitOf, stderrOf } from '../../tools/lib/child.ts';
import { commandOutput } from '../../tools/lib/command.ts';

export interface Access {
  /** Port of 127.0.0.1 that leads to its sshd. */
  sshPort: number;
  /** Port of 127.0.0.1 that leads to its exporter. */
  exporterPort: number;
  key: string;
  /** A short path for the sockets of ssh. */
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
      // A connection takes seconds under emulation: one is kept, and given up soon after its machine is gone.
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

  /** Runs a line of shell as root and returns its standard output; throws where its status is not 0. */
  run(script: string, { timeoutMs = 120_000 } = {}): Promise<string> {
    return commandOutput('ssh', [...this.#ssh, script], { timeoutMs, title: `in ${this.name}: ${script}` });
  }

  /** Whether the line of shell could be run and has the status 0. */
  async succeeds(script: string, timeoutMs = 30_000): Promise<boolean> {
    return this.run(script, { timeoutMs }).then(
      () => true,
      () => false,
    );
  }

  /** Unpacks a tar.gz file of this machine into a folder of that one. */
  unpack(archive: string, folder: string): Promise<void> {
    return this.#feed(archive, `mkdir -p ${folder} && tar -xzf - -C ${folder}`);
  }

  /** Copies a file of this machine to a path of that one. */
  send(file: string, path: string): Promise<void> {
    return this.#feed(file, `cat >${path}`);
  }

  /** A terminal in the machine, or a command with this process's input and output; returns its exit status. */
  async attach(command: readonly string[]): Promise<number> {
    const child = this.#spawn(command.join(' '), 'inherit', command.length === 0 ? ['-t'] : []);
    const [code] = (await once(child, 'exit')) as [number | null];
    return code ?? 1;
  }

  /** Runs a line of shell with a file of this machine as its input. */
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
