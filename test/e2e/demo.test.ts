import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { exitOf } from '../../tools/lib/child.ts';
import { project } from '../../tools/lib/project.ts';
import { until } from '../../tools/lib/until.ts';

/** Runs the demo until it has printed a text and `look` has ended, then ends it as Ctrl-C does. */
const withDemo = async (
  env: NodeJS.ProcessEnv,
  args: readonly string[],
  awaited: RegExp,
  look: (output: string) => Promise<void> | void,
): Promise<void> => {
  const demo = spawn(process.execPath, [join(project, 'tools/demo/demo.ts'), ...args], {
    env,
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let output = '';
  demo.stdout.setEncoding('utf8').on('data', (text: string) => (output += text));
  const exited = exitOf(demo);
  try {
    await until(`the demo to print ${awaited}`, () => awaited.test(output) || demo.exitCode !== null, {
      timeoutMs: 150_000,
    });
    await look(output);
  } finally {
    demo.kill('SIGINT');
  }
  expect(await exited).toEqual({ code: 0, signal: null });
};

const exporterOf = (output: string, name: string): string =>
  new RegExp(`Exporter of ${name} +(\\S+)/ `).exec(output)![1]!;

test('the demo ends with a page that names guest and cause', { timeout: 180_000 }, async () => {
  await withDemo(process.env, [], /The storm goes on/, (output) => {
    expect(output).toMatch(/domu1 on 127\.0\.0\.1 refuses connections: (XenVcpuStarved|XenCreditExhaustion)/);
    expect(output).toMatch(/xl vcpu-list/);
    expect(output).toMatch(/Prometheus +http:\/\/127\.0\.0\.1:\d+\/alerts/);
  });
});

test('without Debian programs the demo states what is missing, and serves the exporters', async () => {
  // Nothing can be started by name.
  await withDemo({ ...process.env, PATH: '/nonexistent' }, [], /The storm goes on/, async (output) => {
    expect(output).toMatch(/No page will come, because .* cannot start here: .+/);
    const metrics = `${exporterOf(output, 'Dom0')}/metrics`;
    await until('the domains', async () => /xen_domain_info\{domain="domu1"/.test(await (await fetch(metrics)).text()));
  });
});

test('--exporters-only serves the exporters of both machines', async () => {
  await withDemo(process.env, ['--exporters-only'], /The storm goes on/, async (output) => {
    expect(output).not.toContain('No page');
    for (const name of ['Dom0', 'domu1']) {
      const page = await (await fetch(`${exporterOf(output, name)}/metrics`)).text();
      expect(page).toContain('xen_exporter_build_info');
    }
  });
});
