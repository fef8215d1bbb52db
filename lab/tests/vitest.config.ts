import { resolve } from 'node:path';
import { defineConfig } from 'vitest/config';
import { SummaryReporter } from '../../tools/lib/summary-reporter.ts';

export default defineConfig({
  test: {
    root: resolve(import.meta.dirname, '../..'),
    include: ['lab/tests/*.xen.ts'],
    globalSetup: './lab/tests/global-setup.ts',
    reporters: ['verbose', new SummaryReporter()],
    pool: 'forks',
    // Each file boots its own Xen host.
    fileParallelism: false,
    maxWorkers: 1,
    // As in the vitest.config.ts of the other tests.
    retry: Number(process.env['RETRIES'] ?? 0),
    testTimeout: 300_000,
    hookTimeout: 300_000,
  },
});
