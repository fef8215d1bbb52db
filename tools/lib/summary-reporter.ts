import type { SerializedError } from 'vitest';
import type { Reporter, TestModule } from 'vitest/node';

/**
 * Prints `N passed, N failed` as the last line of the run. Vitest prints a failed setup only after its reporters are done,
 * so the line waits for the process to exit.
 */
export class SummaryReporter implements Reporter {
  #passed = 0;
  #failed = 0;
  #skipped = 0;
  #ended = false;

  onInit(): void {
    process.once('exit', (code) => {
      // The run never ended, or it failed in a place that counts no test: a setup, a teardown, no test file found.
      if (this.#failed === 0 && (!this.#ended || code !== 0)) this.#failed = 1;
      const skipped = this.#skipped > 0 ? `, ${this.#skipped} skipped` : '';
      process.stdout.write(`${this.#passed} passed, ${this.#failed} failed${skipped}\n`);
    });
  }

  onTestRunEnd(modules: readonly TestModule[], unhandledErrors: readonly SerializedError[]): void {
    this.#ended = true;
    this.#passed = this.#skipped = 0;
    this.#failed = unhandledErrors.length;
    for (const module of modules) {
      let failedTests = 0;
      for (const test of module.children.allTests()) {
        const { state } = test.result();
        if (state === 'passed') this.#passed += 1;
        else if (state === 'skipped') this.#skipped += 1;
        else failedTests += 1;
      }
      // A file that does not load has no tests; a hook that throws may leave them all skipped.
      this.#failed += failedTests === 0 && !module.ok() ? 1 : failedTests;
    }
  }
}
