import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { compiledPack } from '../../../src/diagnosis/compiled-pack.ts';
import { alerts } from '../../../src/pack/alerts/alerts.ts';
import { defaultPackOptions, rulePack } from '../../../src/pack/pack.ts';
import { parseRule } from '../../../src/promql/parse.ts';
import { compiledModule } from '../../../tools/docs/compiled-pack.ts';
import { project } from '../../../tools/lib/project.ts';

const read = (path: string): string => readFileSync(join(project, path), 'utf8');
const pageOf = (alert: string): string => read(`runbooks/${alert}.md`);

test('src/diagnosis/compiled-text.ts is what npm run docs writes', () => {
  expect(read('src/diagnosis/compiled-text.ts') === compiledModule(pageOf)).toBe(true);
});

const pack = await compiledPack();

test('the compiled rules are those of the pack', () => {
  const parsed = rulePack(defaultPackOptions).flatMap(({ rules }) => rules.map(parseRule));
  expect(pack.rules).toEqual(JSON.parse(JSON.stringify(parsed)));
});

test('each cause has the measures of its runbook, each of which can be undone but for a restart', () => {
  const causes = alerts.filter(({ kind }) => kind === 'cause').map(({ name }) => name);
  expect(Object.keys(pack.measures)).toEqual(causes);
  const final: string[] = [];
  for (const [name, { mitigations }] of Object.entries(pack.measures)) {
    expect(mitigations.length, name).toBeGreaterThan(0);
    for (const { title, effect, save, do: steps, verify, undo } of mitigations) {
      expect(
        [title, effect].every((text) => text !== '' && !/\n|\*\*|\]\(/.test(text)),
        `${name}: ${title}`,
      ).toBe(true);
      expect(
        [save, steps, verify].every(({ length }) => length > 0),
        `${name}: ${title}`,
      ).toBe(true);
      if (undo.length === 0) final.push(title);
    }
  }
  expect(final).toEqual(['Anything else: restart it']);
});

test('a measure has its effect, risk and who is affected, and its commands as the runbook has them', () => {
  const { setUp, mitigations } = pack.measures['XenVcpuStarved']!;
  expect(setUp).toEqual([{ on: 'dom0', command: expect.stringMatching(/^G='<GUEST>'; D=\$\(xl domid "\$G"\); /) }]);
  expect(mitigations.map(({ title }) => title)).toEqual([
    'Move the guest away from busy CPUs',
    'Give the guest CPUs of its own',
  ]);
  const [move] = mitigations;
  expect(move!.effect).toMatch(
    /^Use this if the guest is pinned .* Risk: .* Affected: guests that run on <CPUS> now\.$/,
  );
  expect(move!.do).toEqual([{ on: 'dom0', command: 'xl vcpu-pin "${D:?}" all <CPUS>' }]);
  expect(move!.verify.map(({ on }) => on)).toEqual(['dom0', 'guest']);
});
