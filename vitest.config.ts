import { defineConfig } from 'vitest/config';
import { SummaryReporter } from './tools/lib/summary-reporter.ts';

// The place or the suffix of a test file decides its project, and the project what the test may use:
//   *.test.ts         unit: Node and a kernel. No tool, no root, no network, no build.
//   *.debian.test.ts  debian: tools of Debian (promtool, openssl, ss), which a setup downloads once.
//                     Some tests ask for root.
//   *.matrix.test.ts  matrix: the many cases of which a *.debian.test.ts runs a representative part.
//   e2e/              e2e: what `npm run build` made, and the tools.
//   *.kernel.test.ts  kernel: the same, one file at a time: tests that time accept queues of this kernel,
//                     or need the whole machine.
//   package/          package: what `npm run package` made.
const debian = 'test/**/*.debian.test.ts';
const matrix = 'test/**/*.matrix.test.ts';
const e2e = 'test/e2e/**/*.test.ts';
const kernel = 'test/e2e/**/*.kernel.test.ts';
const packages = 'test/package/**/*.test.ts';

const globalSetup = './test/support/debian-setup.ts';

// Retries of a failed test of real processes. None unless CI, whose machine may be busy, asks for them. The summary
// names each retried test.
const retry = Number(process.env['RETRIES'] ?? 0);

export default defineConfig({
  test: {
    reporters: ['default', new SummaryReporter()],
    pool: 'forks',
    // No test normally takes this long, but a machine that is busy with other work is several times slower.
    testTimeout: 120_000,
    hookTimeout: 120_000,
    projects: [
      {
        extends: true,
        test: {
          name: 'unit',
          include: ['test/**/*.test.ts'],
          exclude: [debian, matrix, e2e, packages],
          setupFiles: './test/support/no-debian-tools.ts',
          maxWorkers: 2,
          sequence: { groupOrder: 1 },
        },
      },
      {
        extends: true,
        test: { name: 'debian', include: [debian], globalSetup, retry, maxWorkers: 2, sequence: { groupOrder: 1 } },
      },
      {
        extends: true,
        test: { name: 'matrix', include: [matrix], globalSetup, maxWorkers: 2, sequence: { groupOrder: 1 } },
      },
      {
        // Mostly waits. Runs after everything that keeps the CPUs busy.
        extends: true,
        test: {
          name: 'e2e',
          include: [e2e],
          exclude: [kernel],
          globalSetup,
          retry,
          maxWorkers: 2,
          sequence: { groupOrder: 2 },
        },
      },
      {
        extends: true,
        test: { name: 'kernel', include: [kernel], globalSetup, retry, maxWorkers: 1, sequence: { groupOrder: 3 } },
      },
      {
        extends: true,
        test: { name: 'package', include: [packages], testTimeout: 600_000, sequence: { groupOrder: 4 } },
      },
    ],
  },
});
