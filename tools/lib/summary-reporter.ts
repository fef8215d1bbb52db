import { stripVTControlCharacters } from 'node:util';
import type { SerializedError } from 'vitest';
import type { Reporter, TestModule } from 'vitest/node';

const LONGEST_REASON = 500;

// One line: `FAILED file > test: reason` or `RETRIED file > test: reason`.
const lineOf = (
  what: 'FAILED' | 'RETRIED',
  module: TestModule,
  name: string,
  errors: readonly SerializedError[] = [],
): string => {
  const reason = errors.map(({ message }) => message).join(' | ');
  const line = `${what} ${module.relativeModuleId}${name && ` > ${name}`}: ${stripVTControlCharacters(reason)}`;
  return line.replace(/\s+/g, ' ').slice(0, LONGEST_REASON);
};

/**
 * Prints a line for each test that passed only on a retry (RETRIES in the environment) and for each failed test, then
 * `N passed, N failed` as the last line of the run. Vitest prints a failed setup only after its reporters are done, so
 * these lines wait for the process to exit.
 */
export class SummaryReporter implements Reporter {
  #passed = 0;
  #failed = 0;
  #skipped = 0;
  #ended = false;
  #failures: string[] = [];
  #retried: string[] = [];

  onInit(): void {
    process.once('exit', (code) => {
      // The run did not end, or it failed outside tests: a setup, a teardown, no test file found.
      if (this.#failed === 0 && (!this.#ended || code !== 0)) this.#failed = 1;
      const skipped = this.#skipped > 0 ? `, ${this.#skipped} skipped` : '';
      for (const line of [...this.#retried, ...this.#failures]) process.stdout.write(`${line}\n`);
      process.stdout.write(`${this.#passed} passed, ${this.#failed} failed${skipped}\n`);
    });
  }

  onTestRunEnd(modules: readonly TestModule[], unhandledErrors: readonly SerializedError[]): void {
    this.#ended = true;
    this.#passed = this.#skipped = 0;
    this.#failed = unhandledErrors.length;
    this.#retried = [];
    this.#failures = unhandledErrors.map(
      ({ message }) => `FAILED outside of a test: ${message.slice(0, LONGEST_REASON)}`,
    );
    for (const module of modules) {
      let failedTests = 0;
      for (const test of module.children.allTests()) {
        const { state, errors } = test.result();
        if (state === 'passed') {
          this.#passed += 1;
          if (test.diagnostic()?.flaky) this.#retried.push(lineOf('RETRIED', module, test.fullName, errors));
        } else if (state === 'skipped') this.#skipped += 1;
        else {
          failedTests += 1;
          this.#failures.push(lineOf('FAILED', module, test.fullName, errors));
        }
      }
      // A file that does not load has no tests. A hook that throws may leave all of them skipped.
      if (failedTests === 0 && !module.ok()) {
        failedTests = 1;
        this.#failures.push(lineOf('FAILED', module, '', module.errors()));
      }
      this.#failed += failedTests;
    }
  }
}
