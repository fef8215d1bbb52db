import { spawn } from 'node:child_process';
import { existsSync, readdirSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { findProgram } from '../../src/host/commands.ts';
import { exitOf } from '../../tools/lib/child.ts';
import { TempTree } from '../../tools/lib/fake-host.ts';
import { project } from '../../tools/lib/project.ts';
import { until } from '../../tools/lib/until.ts';

interface DemoOptions {
  args?: readonly string[];
  env?: NodeJS.ProcessEnv;
}

/**
 * Runs the demo until its storm goes on and `look` has ended, then ends it as Ctrl-C does. It leaves no file behind.
 */
const withDemo = async (
  { args = [], env = {} }: DemoOptions,
  look: (output: string) => Promise<void>,
): Promise<void> => {
  using temporary = new TempTree();
  const demo = spawn(process.execPath, [join(project, 'tools/demo/demo.ts'), ...args], {
    env: { ...process.env, TMPDIR: temporary.root, ...env },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let output = '';
  demo.stdout.setEncoding('utf8').on('data', (text: string) => (output += text));
  const exited = exitOf(demo);
  try {
    await until('the storm to go on', () => output.includes('The storm goes on') || demo.exitCode !== null, {
      timeoutMs: 150_000,
    });
    await look(output);
  } finally {
    demo.kill('SIGINT');
    await exited;
  }
  expect(await exited).toEqual({ code: 0, signal: null });
  expect(readdirSync(temporary.root)).toEqual([]);
};

/** The first address in the output behind these words. */
const linkIn = (output: string, words: string): string => {
  const link = new RegExp(`${words}:? +([a-z]+://\\S+)`).exec(output)?.[1];
  if (link === undefined) throw new Error(`expected a link behind "${words}" in:\n${output}`);
  return link;
};

const textAt = async (url: string): Promise<string> => (await fetch(url)).text();

const expectExporters = async (output: string): Promise<void> => {
  const page = `${linkIn(output, 'Exporter of dom0')}metrics`;
  await until('the guests of the host', async () => (await textAt(page)).includes('xen_domain_info{domain="domu1"'));
  expect(await textAt(linkIn(output, 'Exporter of dom0'))).toContain('>netback</a>');
  expect(await textAt(`${linkIn(output, 'Exporter of domu1')}metrics`)).toContain('xen_guest_info{');
};

test('the demo ends with a page that names guest, cause and command, and links to everything', async () => {
  await withDemo({}, async (output) => {
    const words = output.replaceAll(/\s+/g, ' ');
    expect(words).toMatch(/\[FIRING\] domu1 on dom0 refuses connections: Xen(VcpuStarved|CreditExhaustion) /);
    expect(words).toContain('Run on host dom0: xl vcpu-list');
    expect(words).toMatch(/The accept queue of port 8080 of domu1 was full for [1-9]\d* % of the last /);
    await expectExporters(output);
    const prometheus = linkIn(output, 'Prometheus');
    const alerts = await textAt(prometheus);
    expect(alerts).toContain('XenAcceptQueueOverflow');
    const parts = [...alerts.matchAll(/(?:src|href)="([^"]+\.(?:js|css)\b[^"]*)"/g)].map(([, path]) => path!);
    expect(parts.length).toBeGreaterThan(0);
    for (const part of parts) expect((await fetch(new URL(part, prometheus))).ok, part).toBe(true);
    expect(await textAt(linkIn(output, 'Alertmanager'))).toContain('"alertname":"XenAcceptQueueOverflow"');
    expect(existsSync(fileURLToPath(linkIn(output, 'Runbook of the cause')))).toBe(true);
  });
}, 180_000);

test('without apt the demo states what is missing, and serves the exporters', async () => {
  using programs = new TempTree();
  // The captured tools need it.
  symlinkSync(findProgram('cat')!, programs.path('cat'));
  await withDemo({ env: { PATH: programs.root } }, async (output) => {
    expect(output).toContain(
      "No page will come: Debian's Prometheus and Alertmanager need apt-get, dpkg, unshare, which this machine does not have.",
    );
    await expectExporters(output);
  });
});

test('--exporters-only starts nothing but the exporters', async () => {
  await withDemo({ args: ['--exporters-only'] }, async (output) => {
    expect(output).not.toMatch(/Prometheus|No page/);
    await expectExporters(output);
  });
});
