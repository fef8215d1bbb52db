import { hashSync } from 'bcrypt';
import { describe, expect, test } from 'vitest';
import { basicCredentials } from '../../src/web/access.ts';
import { matches, Passwords, type Verdict } from '../../src/web/passwords.ts';
import { until } from '../../tools/lib/until.ts';

const hash = hashSync('secret', 4);
const as = (version: string) => hash.replace('$2b$', version);

test.each(['$2a$', '$2b$', '$2y$'])('%s is a hash of the password and of no other', async (version) => {
  expect(await matches(Buffer.from('secret'), as(version))).toBe(true);
  expect(await matches(Buffer.from('Secret'), as(version))).toBe(false);
  expect(await matches(Buffer.from('secret\0'), as(version))).toBe(false);
  expect(await matches(Buffer.alloc(0), as(version))).toBe(false);
});

test('a hash that htpasswd made', async () => {
  const ofHtpasswd = '$2y$10$QOauhQNbBCuQDKes6eFzPeMqBSjb7Mr5DUmpZ/VcEd00UAV/LDeSi';
  expect(await matches(Buffer.from('fakepassword'), ofHtpasswd)).toBe(true);
  expect(await matches(Buffer.from('fakepasswore'), ofHtpasswd)).toBe(false);
});

/** Passwords whose comparison ends when the test says so. */
const setUp = (limits: ConstructorParameters<typeof Passwords>[0]['limits'] = {}) => {
  const compared: { password: string; hash: string; end: (isRight: boolean) => void }[] = [];
  let now = 0;
  const passwords = new Passwords({
    now: () => now,
    limits: { restsPerWrong: 0, ...limits },
    matches: (password, against) =>
      new Promise((end) => void compared.push({ password: password.toString(), hash: against, end })),
  });
  const users = new Map([
    ['alice', 'A'],
    ['bob', 'B'],
  ]);
  const check = (user: string, password: string, client = '10.0.0.1'): Promise<Verdict> =>
    passwords.check(users, { user, password: Buffer.from(password) }, client);
  const nth = (n: number) => until(`comparison ${n}`, () => compared[n - 1]);
  return { passwords, users, compared, check, nth, advance: (seconds: number) => void (now += seconds) };
};

describe('what was looked at is remembered', () => {
  test.each([
    [true, 'right', 600],
    [false, 'wrong', 60],
  ] as const)('%s: %s, for %i s', async (isRight, verdict, seconds) => {
    const { check, compared, nth, advance } = setUp();
    const first = check('alice', 'x');
    (await nth(1)).end(isRight);
    expect(await first).toBe(verdict);
    advance(seconds - 1);
    expect(await check('alice', 'x')).toBe(verdict);
    expect(compared).toHaveLength(1);
    advance(seconds + 1);
    const again = check('alice', 'x');
    (await nth(2)).end(isRight);
    expect(await again).toBe(verdict);
  });

  test('right ones as long as they are used', async () => {
    const { check, compared, nth, advance } = setUp();
    const first = check('alice', 'x');
    (await nth(1)).end(true);
    await first;
    for (let scrape = 0; scrape < 100; scrape += 1) {
      advance(300);
      expect(await check('alice', 'x')).toBe('right');
    }
    expect(compared).toHaveLength(1);
  });

  test('not for another user, password or hash', async () => {
    const { check, compared, nth, users } = setUp();
    const first = check('alice', 'x');
    (await nth(1)).end(true);
    await first;
    const others = [check('bob', 'x'), check('alice', 'y')];
    users.set('alice', 'C');
    others.push(check('alice', 'x'));
    for (let n = 2; n <= 4; n += 1) (await nth(n)).end(false);
    expect(await Promise.all(others)).toEqual(['wrong', 'wrong', 'wrong']);
    expect(compared.map((each) => each.hash)).toEqual(['A', 'B', 'A', 'C']);
  });

  test('so many of each kind, and wrong ones never in place of right ones', async () => {
    const { passwords, users, check, compared } = setUp({ remembered: 10, waiting: 1000, waitingPerClient: 1000 });
    const pump = setInterval(() => compared.forEach(({ password, end }) => end(password === 'x')));
    try {
      expect(await check('alice', 'x')).toBe('right');
      for (let guess = 0; guess < 50; guess += 1) expect(await check('alice', `guess ${guess}`)).toBe('wrong');
      expect(passwords.remembered).toBe(11);
      const before = compared.length;
      expect(await passwords.check(users, { user: 'alice', password: Buffer.from('x') }, '')).toBe('right');
      expect(compared).toHaveLength(before);
    } finally {
      clearInterval(pump);
    }
  });
});

test('one is looked at at a time, and the same credentials once', async () => {
  const { check, compared, nth } = setUp();
  const answers = [check('alice', 'x'), check('alice', 'x'), check('bob', 'y')];
  await nth(1);
  expect(compared).toHaveLength(1);
  compared[0]!.end(true);
  (await nth(2)).end(false);
  expect(await Promise.all(answers)).toEqual(['right', 'right', 'wrong']);
  expect(compared).toHaveLength(2);
});

test('an unknown user costs a comparison too, always with the same hash, and is never right', async () => {
  const { check, nth, compared } = setUp();
  for (const [n, password] of ['x', 'y', 'z'].entries()) {
    const answer = check('nobody', password);
    (await nth(n + 1)).end(true);
    expect(await answer).toBe('wrong');
  }
  expect(new Set(compared.map((each) => each.hash)).size).toBe(1);
  expect(['A', 'B']).toContain(compared[0]!.hash);
});

test('clients take turns, and those for whom there is no room are told so', async () => {
  const { check, compared, nth } = setUp({ waiting: 4, waitingPerClient: 2 });
  const guesses = [1, 2, 3, 4].map((n) => check('alice', `guess ${n}`));
  // One is being looked at, two wait.
  expect(await guesses[3]).toBe('busy');
  const good = check('alice', 'x', '10.0.0.2');
  const other = check('alice', 'y', '10.0.0.3');
  expect(await check('alice', 'z', '10.0.0.4')).toBe('busy');
  for (let n = 1; n <= 5; n += 1) (await nth(n)).end(compared[n - 1]!.password === 'x');
  expect(await good).toBe('right');
  expect(await other).toBe('wrong');
  expect(await Promise.all(guesses)).toEqual(['wrong', 'wrong', 'wrong', 'busy']);
  expect(compared.map(({ password }) => password)).toEqual(['guess 1', 'guess 2', 'x', 'y', 'guess 3']);
});

test('a comparison that fails costs its own request alone', async () => {
  let calls = 0;
  const passwords = new Passwords({
    now: () => 0,
    limits: { restsPerWrong: 0 },
    matches: () => ((calls += 1) === 1 ? Promise.reject(new Error('broken')) : Promise.resolve(true)),
  });
  const users = new Map([['alice', 'A']]);
  const check = () => passwords.check(users, { user: 'alice', password: Buffer.from('x') }, '');
  await expect(check()).rejects.toThrow('broken');
  expect(await check()).toBe('right');
});

test('after a wrong password there is a rest of three times what it took', async () => {
  const takes = 30;
  const begun: number[] = [];
  const passwords = new Passwords({
    now: () => 0,
    matches: async () => {
      begun.push(performance.now());
      await new Promise((resolve) => setTimeout(resolve, takes));
      return false;
    },
  });
  const users = new Map([['alice', 'A']]);
  await Promise.all(
    ['1', '2'].map((guess) => passwords.check(users, { user: 'alice', password: Buffer.from(guess) }, '')),
  );
  expect(begun[1]! - begun[0]!).toBeGreaterThanOrEqual(4 * takes - 4);
});

test.each([
  ['Basic YWxpY2U6c2VjcmV0', ['alice', 'secret']],
  ['basic  YWxpY2U6c2VjcmV0', ['alice', 'secret']],
  ['Basic YWxpY2U6YTpi', ['alice', 'a:b']],
  ['Basic Og==', ['', '']],
  ['Basic YWxpY2U=', undefined],
  ['Basic', undefined],
  ['Basic !!!!', undefined],
  ['Bearer YWxpY2U6c2VjcmV0', undefined],
  [undefined, undefined],
])('%s', (header, expected) => {
  const credentials = basicCredentials(header);
  expect(credentials && [credentials.user, credentials.password.toString()]).toEqual(expected);
});
