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

/** Passwords whose comparison ends on the test's request. */
const setUp = (limits: ConstructorParameters<typeof Passwords>[0]['limits'] = {}) => {
  const compared: { password: string; hash: string; end: (isRight: boolean) => void }[] = [];
  let now = 0;
  const passwords = new Passwords({
    now: () => now,
    limits: { restsPerWrong: 0, restsPerWrongIfUrgent: 0, ...limits },
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

describe('clients that wait', () => {
  const clients = (count: number) => Array.from({ length: count }, (_, n) => `10.0.1.${n}`);
  /** Ends every comparison. Only the password x is right. */
  const pump = (compared: ReturnType<typeof setUp>['compared']) => {
    const timer = setInterval(() => compared.forEach(({ password, end }) => end(password === 'x')));
    return { [Symbol.dispose]: () => clearInterval(timer) };
  };
  const passwordsOf = (compared: ReturnType<typeof setUp>['compared']) => compared.map(({ password }) => password);

  test('take turns', async () => {
    const { check, compared } = setUp();
    const answers = [1, 2, 3].map((n) => check('alice', `guess ${n}`));
    answers.push(check('alice', 'x', '10.0.0.2'), check('alice', 'y', '10.0.0.3'));
    using _pump = pump(compared);
    expect(await Promise.all(answers)).toEqual(['wrong', 'wrong', 'wrong', 'right', 'wrong']);
    expect(passwordsOf(compared)).toEqual(['guess 1', 'x', 'guess 2', 'y', 'guess 3']);
  });

  test('have a number of places each', async () => {
    const { check, compared } = setUp({ waitingPerClient: 2 });
    // One is compared, two wait.
    const guesses = [1, 2, 3, 4].map((n) => check('alice', `guess ${n}`));
    expect(await guesses[3]).toBe('busy');
    using _pump = pump(compared);
    expect(await Promise.all(guesses)).toEqual(['wrong', 'wrong', 'wrong', 'busy']);
  });

  test('give up a place for a client that has fewer', async () => {
    const { check, compared } = setUp({ waiting: 8, waitingPerClient: 4 });
    void check('alice', 'first');
    const guesses = clients(2).flatMap((client) => [1, 2, 3, 4].map((n) => check('alice', `${client} ${n}`, client)));
    const good = check('alice', 'x', '10.0.0.2');
    expect(await guesses[3]).toBe('busy');
    using _pump = pump(compared);
    expect(await good).toBe('right');
    expect(await Promise.all(guesses)).toEqual([...Array<string>(8).fill('wrong')].with(3, 'busy'));
  });

  test('keep it if all others have as many', async () => {
    const { check, compared } = setUp({ waiting: 4 });
    // The one without an address uses a Unix socket.
    const others = ['', '10.0.1.1', '10.0.2.1', 'fd00:1:2:3'];
    const answers = ['first', ...others].map((client) => check('alice', client, client));
    expect(await check('alice', 'x', '10.0.0.2')).toBe('busy');
    using _pump = pump(compared);
    expect(await Promise.all(answers)).toEqual(Array(5).fill('wrong'));
  });

  test.each([
    ['10.0.1.*', '10.0.0.2'],
    ['2001:db8:1:*', '2001:db8:2:1'],
  ])('of one network (%s) give up a place for a client of another one', async (network, client) => {
    const { check, compared } = setUp({ waiting: 8 });
    void check('alice', 'first');
    const guesses = Array.from({ length: 8 }, (_, n) => check('alice', `guess ${n}`, network.replace('*', String(n))));
    expect(await check('alice', 'too many', network.replace('*', '9'))).toBe('busy');
    const good = check('alice', 'x', client);
    expect(await guesses[0]).toBe('busy');
    using _pump = pump(compared);
    expect(await good).toBe('right');
  });

  test('give it up to one that does not guess, if they do', async () => {
    const { check, compared } = setUp({ waiting: 4 });
    {
      using _pump = pump(compared);
      await Promise.all(clients(4).map((client) => check('alice', client, client)));
    }
    const guesses = ['first', ...clients(4)].map((client) => check('alice', `${client} again`, client));
    const good = check('alice', 'x', '10.0.0.2');
    expect(await guesses[1]).toBe('busy');
    using _pump = pump(compared);
    expect(await good).toBe('right');
  });

  test('do not wait for the long rest after the wrong password of another', async () => {
    const { check, nth } = setUp({ restsPerWrong: 1e9, longestRestSeconds: 3600 });
    const guesses = [1, 2].map((n) => check('alice', `guess ${n}`));
    const good = check('alice', 'x', '10.0.0.2');
    (await nth(1)).end(false);
    (await nth(2)).end(true);
    expect(await good).toBe('right');
    (await nth(3)).end(false);
    expect(await Promise.all(guesses)).toEqual(['wrong', 'wrong']);
  });

  test('come before those that guess, at every other turn', async () => {
    const { check, compared } = setUp();
    {
      using _pump = pump(compared);
      await Promise.all(clients(6).map((client) => check('alice', client, client)));
    }
    const before = compared.length;
    const guesses = clients(6).map((client) => check('alice', `${client} again`, client));
    const good = ['2', '3'].map((n) => check('alice', n === '2' ? 'x' : 'y', `10.0.0.${n}`));
    using _pump = pump(compared);
    expect(await Promise.all([...good, ...guesses])).toEqual(['right', ...Array<string>(7).fill('wrong')]);
    expect(['x', 'y'].map((password) => passwordsOf(compared).indexOf(password) - before)).toSatisfy(
      ([x, y]: number[]) => x! <= 2 && y! <= 4,
    );
  });
});

describe('all wrong answers look alike', () => {
  const cost = (hash: string) => 2 ** Number(hash.slice(4, 6));
  test.each([
    ['a wrong password', 'alice', false],
    ['a wrong password of the user with the highest cost', 'bob', false],
    ['an unknown user', 'nobody', false],
    ['another unknown user', 'mallory', false],
    ["an unknown user with somebody's password", 'nobody', true],
  ])('%s: as much work as at the highest cost', async (_what, user, isRight) => {
    const { check, compared, users } = setUp();
    users.set('alice', '$2b$04$A').set('bob', '$2b$07$B');
    const answer = check(user, 'x');
    const timer = setInterval(() => compared.forEach(({ end }) => end(isRight)));
    expect(await answer).toBe('wrong');
    clearInterval(timer);
    expect(compared.reduce((sum, { hash: against }) => sum + cost(against), 0)).toBe(2 ** 7);
  });

  test("a rest follows also when an unknown user had somebody's password", async () => {
    const limits = { restsPerWrong: 1e9, longestRestSeconds: 3600 };
    const [known, unknown] = [setUp(limits), setUp(limits)];
    const answers = [known.check('alice', 'x'), unknown.check('nobody', 'x')];
    for (const { nth } of [known, unknown]) (await nth(1)).end(true);
    expect(await Promise.all(answers)).toEqual(['right', 'wrong']);
    for (const { check } of [unknown, known]) void check('alice', 'y');
    await known.nth(2);
    expect(unknown.compared).toHaveLength(1);
  });
});

test('a user whose hash another user gets is not remembered', async () => {
  const { check, nth, users } = setUp();
  const first = check('alice', 'x');
  (await nth(1)).end(true);
  expect(await first).toBe('right');
  users.delete('alice');
  users.delete('bob');
  users.set('carol', 'A');
  const again = check('alice', 'x');
  (await nth(2)).end(true);
  expect(await again).toBe('wrong');
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
