import { describe, expect, test } from 'vitest';
import { localProblems, Rounds, type Source } from '../../src/commands/rounds.ts';
import { compiledPack } from '../../src/diagnosis/compiled-pack.ts';
import { Unavailable } from '../../src/host/unavailable.ts';
import type { CollectorStatus } from '../../src/scrape/collector-run.ts';

const pack = await compiledPack();
const page = `xen_exporter_build_info{version="1"} 1
xen_guest_info{uuid="6c9ee902-e8b7-484d-b5a1-502d89e835de",type="pv",role="guest"} 1
`;

const source = (name: string, read: () => Promise<string>): Source => ({
  name,
  read: async () => ({ target: { instance: name, isHost: false }, page: await read() }),
});

describe('a round', () => {
  test('judges the sources that answer, and names the others with what is wrong', async () => {
    const rounds = new Rounds(
      pack,
      [
        source('good:1', () => Promise.resolve(page)),
        source('bad:1', () => Promise.reject(new Error('connect ECONNREFUSED'))),
        source('odd:1', () => Promise.resolve('up{')),
        source('hanging:1', () => new Promise(() => {})),
      ],
      30,
    );
    await rounds.once(0.05);
    const { guests, unseen } = rounds.verdict([{ what: 'more', why: 'no' }]);
    expect(guests).toMatchObject([{ name: 'good:1', seenBy: { guest: true, host: false } }]);
    expect(unseen.slice(0, 4)).toEqual([
      { what: 'bad:1', why: 'connect ECONNREFUSED' },
      { what: 'odd:1', why: 'line 1: expected a metric, labels and a number, found "up{"' },
      { what: 'hanging:1', why: 'no answer yet' },
      { what: 'more', why: 'no' },
    ]);
  });

  test('ends as soon as all have answered', async () => {
    const began = performance.now();
    await new Rounds(pack, [source('good:1', () => Promise.resolve(page))], 30).once(60);
    expect(performance.now() - began).toBeLessThan(30_000);
  });

  test('does not ask a source again that has not answered', async () => {
    let asked = 0;
    const hanging = source('hanging:1', () => {
      asked += 1;
      return new Promise(() => {});
    });
    const rounds = new Rounds(pack, [hanging], 30);
    await rounds.once(0.01);
    await rounds.once(0.01);
    expect(asked).toBe(1);
  });

  test('forgets what was wrong with a source that answers again', async () => {
    const answers = [() => Promise.reject(new Error('not yet')), () => Promise.resolve(page)];
    const rounds = new Rounds(pack, [source('late:1', () => answers.shift()!())], 30);
    const problems = () => rounds.verdict([]).unseen.filter(({ what }) => what === 'late:1');
    await rounds.once(1);
    expect(problems()).toEqual([{ what: 'late:1', why: 'not yet' }]);
    await rounds.once(1);
    expect(problems()).toEqual([]);
  });
});

test('collectors of this machine that have the same problem share a line', () => {
  const status = (name: string, parts: Partial<CollectorStatus> = {}): CollectorStatus => ({
    name,
    help: '',
    availability: true,
    limitations: undefined,
    series: 0,
    metrics: [],
    ...parts,
  });
  expect(
    localProblems([
      status('cpu'),
      status('vif', { availability: new Unavailable('no vif') }),
      status('listeners', { limitations: 'drops: no ss' }),
      status('netback', { availability: new Unavailable('no vif') }),
      status('tcp', { error: '/proc/net/snmp: EIO' }),
    ]),
  ).toEqual([
    { what: 'collector vif, netback', why: 'no vif' },
    { what: 'part of collector listeners', why: 'drops: no ss' },
    { what: 'collector tcp', why: '/proc/net/snmp: EIO' },
  ]);
});
