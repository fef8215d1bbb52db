import { describe, expect, test } from 'vitest';
import { diagnosisSection } from '../../src/web/diagnosis-section.ts';
import type { ListenerReading } from '../../src/web/listener-readings.ts';
import { cause, guestVerdict, idleGuest, symptom, verdict } from '../diagnosis/verdicts.ts';

const since = Date.UTC(2027, 0, 15, 8);
const sectionOf = (parts: Partial<typeof verdict> = {}, listeners?: readonly ListenerReading[]): string =>
  diagnosisSection({ since, scrapes: 3, verdict: { ...verdict, ...parts }, ...(listeners && { listeners }) });

const textOf = (html: string): string =>
  html
    .replaceAll(/<[^>]*>/g, ' ')
    .replaceAll(/\s+/g, ' ')
    .trim();

test.each([
  [0, 'no scrape has'],
  [1, 'one scrape has'],
])('after %i scrapes there is no verdict yet', (scrapes, words) => {
  expect(textOf(diagnosisSection({ since, scrapes }))).toBe(
    `Verdict No verdict yet : watching since 2027-01-15 08:00:00 UTC, ${words} come. The verdict needs two scrapes of all metrics. Ask again after the next ones.`,
  );
});

describe('a verdict', () => {
  test('begins with one sentence and its status in words', () => {
    expect(textOf(sectionOf())).toMatch(/^Verdict critical : domu1 on dom0 refuses connections: XenVcpuStarved \(56 %/);
  });

  test('has a table of guests by hops in words, in which each cell names its hop for narrow screens', () => {
    const html = sectionOf();
    const [row] = /<tr><th scope="row">domu1.*<\/tr>/.exec(html)!;
    expect(textOf(row)).toBe('domu1 critical ok ok 0.60 not seen ok ok ok warning 1.9 ok ok ok');
    expect([...row.matchAll(/data-hop="([^"]+)"/g)].map(([, hop]) => hop)).toEqual(
      guestVerdict.hops.map(({ hop }) => hop),
    );
    expect(textOf(/<tr><th scope="row">domu2.*<\/tr>/.exec(html)![0])).toBe(`domu2 ok${' ok'.repeat(10)}`);
  });

  test('lists symptoms, causes, first command and measures of guests in trouble alone', () => {
    const html = sectionOf();
    expect(html.match(/<h3>/g)).toHaveLength(1);
    expect(html).toContain(`<li>${symptom.evidence} (XenAcceptQueueOverflow)</li>`);
    expect(html).toContain('<pre>dom0# xl vcpu-list</pre>');
    expect(textOf(/<details>.*?<\/details>/s.exec(html)![0])).toBe(
      `Move the guest ${cause.mitigations[0]!.effect.replaceAll('<', '&lt;').replaceAll('>', '&gt;')} ` +
        'Set: dom0# G=&#39;domu1&#39;; D=$(xl domid &quot;$G&quot;) Save: dom0# xl vcpu-list &quot;$D&quot; &gt; saved ' +
        'Do: dom0# xl vcpu-pin &quot;$D&quot; all &lt;CPUS&gt; Verify: guest# top Undo: dom0# undo saved',
    );
  });

  test('lists hosts in trouble, and what was not judged', () => {
    const hosts = [{ instance: 'dom0:1', status: 'warning' as const, symptoms: [], causes: [cause] }];
    expect(textOf(sectionOf({ guests: [], hosts }))).toContain('warning host dom0:1');
    expect(textOf(sectionOf())).toContain(
      'Not judged: 1 inside domu2: no exporter in this guest was read From the scrapes of the 30 s before 2027-01-15 08:00:00 UTC.',
    );
  });

  test('of an idle guest has no details', () => {
    expect(sectionOf({ status: 'ok', guests: [idleGuest], unseen: [] })).not.toMatch(/<h3>|<details>/);
  });
});

describe('listeners', () => {
  const full = {
    address: '::',
    port: '80',
    netns: 'box',
    service: 'web.service',
    length: 9,
    limit: 8,
    fullRatio: 0.4,
    drops: 12,
  };

  test('have a row each: queue, time full, drops', () => {
    expect(
      textOf(sectionOf({}, [full, { address: '0.0.0.0', port: '22', netns: '', service: '', length: 0 }])),
    ).toMatch(
      /Listeners Listener Accept queue Full for Dropped attempts \[::\]:80 web\.service box 9 of 8 40 % 12 0\.0\.0\.0:22 0 Between the last two scrapes\.$/,
    );
  });

  test('beyond the first 20 are counted', () => {
    const html = sectionOf(
      {},
      Array.from({ length: 25 }, (_, n) => ({ ...full, port: String(n) })),
    );
    expect(html.match(/\[::\]:/g)).toHaveLength(20);
    expect(html).toContain('The fullest 20 of 25.');
  });
});

test('what a guest chose is text, not HTML', () => {
  const name = '<script>alert("x")</script>\u202e';
  const html = sectionOf(
    {
      summary: name,
      guests: [
        { ...guestVerdict, name, symptoms: [{ ...symptom, evidence: name }], causes: [{ ...cause, evidence: name }] },
      ],
      hosts: [{ instance: name, status: 'warning', symptoms: [], causes: [] }],
      unseen: [{ what: name, why: name }],
    },
    [{ address: name, port: name, netns: name, service: name, length: 1 }],
  );
  expect(html).not.toMatch(/<script|\u202e/);
  expect(html.match(/&lt;script&gt;alert\(&quot;x&quot;\)/g)!.length).toBeGreaterThanOrEqual(10);
});
