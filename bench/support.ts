import { readdirSync, readFileSync } from 'node:fs';
import { Agent, request } from 'node:http';
import { setImmediate } from 'node:timers/promises';

/** Headers of a Prometheus 2.42 scrape. */
export const prometheusHeaders = {
  Accept:
    'application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q=0.75,text/plain;version=0.0.4;q=0.5,*/*;q=0.1',
  'Accept-Encoding': 'gzip',
};

/** One keep-alive connection. */
export class Connection implements Disposable {
  readonly #agent = new Agent({ keepAlive: true, maxSockets: 1 });
  readonly #url: string;
  readonly #headers: Record<string, string>;

  constructor(url: string, headers: Record<string, string> = {}) {
    this.#url = url;
    this.#headers = headers;
  }

  /**
   * Time from the request to the last byte of its response, and the body as it came, with its length. Throws unless it
   * is a 200.
   */
  get(path: string): Promise<{ milliseconds: number; bytes: number; body: string }> {
    return new Promise((resolve, reject) => {
      const begin = performance.now();
      const outgoing = request(this.#url + path, { agent: this.#agent, headers: this.#headers }, (response) => {
        const chunks: Buffer[] = [];
        let bytes = 0;
        response.on('data', (chunk: Buffer) => {
          bytes += chunk.length;
          chunks.push(chunk);
        });
        response.once('error', reject);
        response.once('end', () => {
          const milliseconds = performance.now() - begin;
          if (response.statusCode === 200) resolve({ milliseconds, bytes, body: Buffer.concat(chunks).toString() });
          else reject(new Error(`${this.#url}${path} answered ${response.statusCode}`));
        });
      });
      outgoing.once('error', reject);
      outgoing.end();
    });
  }

  [Symbol.dispose](): void {
    this.#agent.destroy();
  }
}

// USER_HZ is 100 on all of Xen's architectures.
const ticksPerSecond = 100;

/** User and system time of a process in seconds, in steps of 0.01. */
export const cpuSecondsOf = (pid: number): number => {
  const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
  // Fields after the command, which may contain spaces and parentheses, start with the third.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return (Number(fields[14 - 3]) + Number(fields[15 - 3])) / ticksPerSecond;
};

/**
 * User and system time that all threads of a process have used, in seconds, to the nanosecond. Threads that have ended
 * are left out.
 */
export const exactCpuSecondsOf = (pid: number): number => {
  const threads = readdirSync(`/proc/${pid}/task`);
  const nanoseconds = threads.map((id) =>
    Number(readFileSync(`/proc/${pid}/task/${id}/schedstat`, 'utf8').split(' ')[0]),
  );
  return nanoseconds.reduce((sum, each) => sum + each, 0) / 1e9;
};

/** Time that a process's main thread could have run but waited for a processor, in seconds. */
export const waitSecondsOf = (pid: number): number =>
  Number(readFileSync(`/proc/${pid}/schedstat`, 'utf8').split(' ')[1]) / 1e9;

export interface Memory {
  /** Resident memory. */
  rssMB: number;
  /** Maximum of `rssMB` since the process began. */
  peakMB: number;
  /** Anonymous memory: heaps and stacks, no files. */
  anonymousMB: number;
}

export const memoryOf = (pid: number): Memory => {
  const status = readFileSync(`/proc/${pid}/status`, 'utf8');
  const megabytes = (field: string): number =>
    (Number(new RegExp(`^${field}:\\s+(\\d+) kB`, 'm').exec(status)?.[1]) * 1024) / 1e6;
  return { rssMB: megabytes('VmRSS'), peakMB: megabytes('VmHWM'), anonymousMB: megabytes('RssAnon') };
};

/** Metrics of the daemon about its sampler of listeners. */
export const samplerOf = async (daemon: {
  get(path: string): Promise<{ body: string }>;
}): Promise<{ samples: number; skipped: number; cpuSeconds: number }> => {
  const { body } = await daemon.get('/metrics?collect[]=listeners');
  const value = (name: string): number =>
    Number(new RegExp(`^xen_exporter_sampler_${name}_total\\{.*\\} (.*)$`, 'm').exec(body)?.[1]);
  return { samples: value('samples'), skipped: value('skipped_samples'), cpuSeconds: value('cpu_seconds') };
};

/** The value that `share` (0 to 1) of the values do not exceed. */
export const quantile = (values: readonly number[], share: number): number => {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))] ?? NaN;
};

/** Calls `work` this many times, each in its own turn of the event loop. Returns the durations in milliseconds. */
export const timesOf = async (work: () => unknown, count: number): Promise<number[]> => {
  const times: number[] = [];
  for (let called = 0; called < count; called += 1) {
    const begin = performance.now();
    await work();
    times.push(performance.now() - begin);
    await setImmediate();
  }
  return times;
};

const inCell = (cell: string | number): string =>
  typeof cell === 'string' ? cell : cell.toFixed(Math.abs(cell) >= 100 ? 0 : Math.abs(cell) >= 10 ? 1 : 3);

/** Prints rows in columns. The first row is the heading; numbers are right-aligned. */
export const printTable = (rows: readonly (readonly (string | number)[])[]): void => {
  const widths = rows[0]!.map((_, column) => Math.max(...rows.map((row) => inCell(row[column] ?? '').length)));
  for (const row of rows) {
    const cells = row.map((cell, column) =>
      column === 0 ? inCell(cell).padEnd(widths[column]!) : inCell(cell).padStart(widths[column]!),
    );
    console.log(cells.join('  ').trimEnd());
  }
  console.log();
};

/** Prints the median of runs, and each run. */
export const printRuns = (title: string, all: readonly number[], unit: string): void => {
  const range = all.map((each) => each.toPrecision(3)).join(' ');
  console.log(`${title.padEnd(60)} ${quantile(all, 0.5).toPrecision(3)} ${unit} (${range})`);
};
