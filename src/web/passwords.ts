import { createHmac, randomBytes, timingSafeEqual } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';

/** `busy` means not compared, because too many logins wait. */
export type Verdict = 'right' | 'wrong' | 'busy';

/** A user name and password from a client. */
export interface Credentials {
  readonly user: string;
  readonly password: Buffer;
}

// A hash starts with version and cost: `$2b$10$`.
const costOf = (hash: string): number => Number(hash.slice(4, 6));
const withCost = (hash: string, cost: number): string =>
  `${hash.slice(0, 4)}${String(cost).padStart(2, '0')}${hash.slice(6)}`;

// The last 31 characters of a bcrypt hash, after version, cost and salt.
const digestOf = (hash: string): Buffer => Buffer.from(hash.slice(-31));

/** Compares a password with a bcrypt hash in one thread of libuv's pool. */
export const matches = async (password: Buffer, hash: string): Promise<boolean> => {
  // Loaded on first use, so installations without passwords do not need the add-on.
  const { hash: bcryptHash } = await import('bcrypt');
  // The library reads only $2b$. Go treats $2a$ and $2y$ alike.
  const salt = `$2b$${hash.slice(4, 29)}`;
  return timingSafeEqual(digestOf(await bcryptHash(password, salt)), digestOf(hash));
};

/** The most recent keys, up to a limit. A new key evicts the oldest. */
class Recent {
  readonly #most: number;
  readonly #seconds: number;
  readonly #until = new Map<string, number>();

  constructor(most: number, seconds: number) {
    this.#most = most;
    this.#seconds = seconds;
  }

  add(key: string, now: number): void {
    this.#until.delete(key);
    this.#until.set(key, now + this.#seconds);
    if (this.#until.size > this.#most) this.#until.delete(this.#until.keys().next().value!);
  }

  has(key: string, now: number): boolean {
    const until = this.#until.get(key);
    if (until !== undefined && until < now) this.#until.delete(key);
    return until !== undefined && until >= now;
  }

  get size(): number {
    return this.#until.size;
  }
}

const limits = {
  /** Remembered logins of each kind. */
  remembered: 1000,
  rightSeconds: 600,
  wrongSeconds: 60,
  /** Clients with wrong passwords. */
  guessers: 10_000,
  guesserSeconds: 3600,
  /** Logins waiting for a comparison, of all clients and of one. */
  waiting: 32,
  waitingPerClient: 4,
  /** Rest after a wrong password, as a multiple of its duration: guessing gets a quarter of a CPU. */
  restsPerWrong: 3,
  /** The same while a client without wrong passwords waits: half of a CPU. */
  restsPerWrongIfUrgent: 1,
  /** Longest rest: on a busy machine the next correct password must not wait longer. */
  longestRestSeconds: 0.5,
};

/** The client's network, all of whose addresses one party may own: /24 for IPv4, /48 for IPv6. */
const networkOf = (client: string): string => client.slice(0, Math.max(0, client.search(/[.:][^.:]*$/)));

interface Job {
  readonly client: string;
  readonly password: Buffer;
  readonly hash: string;
  readonly isKnown: boolean;
  /** Highest cost of all users' hashes. */
  readonly highestCost: number;
  readonly done: (verdict: Verdict) => void;
  readonly failed: (error: unknown) => void;
}

/**
 * Compares passwords one at a time, off the event loop. Remembers results for a while under a keyed digest. Clients
 * take turns and share the waiting slots, so guessing clients lock out no other.
 */
export class Passwords {
  readonly #limits: typeof limits;
  readonly #matches: typeof matches;
  readonly #now: () => number;
  readonly #secret = randomBytes(32);
  readonly #right;
  readonly #wrong;
  /** Clients with a recent wrong password. */
  readonly #guessers;
  readonly #underWay = new Map<string, Promise<Verdict>>();
  /** Waiting logins by client, in the order of turns. */
  readonly #queues = new Map<string, Job[]>();
  #waiting = 0;
  #turns = 0;
  #works = false;

  constructor(spec: { now: () => number; matches?: typeof matches; limits?: Partial<typeof limits> }) {
    this.#limits = { ...limits, ...spec.limits };
    this.#matches = spec.matches ?? matches;
    this.#now = spec.now;
    this.#right = new Recent(this.#limits.remembered, this.#limits.rightSeconds);
    this.#wrong = new Recent(this.#limits.remembered, this.#limits.wrongSeconds);
    this.#guessers = new Recent(this.#limits.guessers, this.#limits.guesserSeconds);
  }

  /** Number of remembered logins. */
  get remembered(): number {
    return this.#right.size + this.#wrong.size;
  }

  /** Checks credentials of `client` against the users (bcrypt hashes by name, at least one). */
  async check(users: ReadonlyMap<string, string>, { user, password }: Credentials, client: string): Promise<Verdict> {
    const known = users.get(user);
    // Check unknown users against a real hash, always the same one, so that timing does not reveal who exists.
    const hash = known ?? this.#anyOf(users, user);
    const isKnown = known !== undefined;
    const key = this.#digest(String(isKnown), user, hash, password).toString('base64');
    const now = this.#now();
    if (this.#right.has(key, now)) {
      this.#right.add(key, now);
      return 'right';
    }
    if (this.#wrong.has(key, now)) return 'wrong';
    const highestCost = Math.max(...[...users.values()].map(costOf));
    const verdict = await (this.#underWay.get(key) ??
      this.#enqueue(key, { client, password, hash, isKnown, highestCost }));
    if (verdict === 'right') this.#right.add(key, this.#now());
    if (verdict === 'wrong') this.#wrong.add(key, this.#now());
    return verdict;
  }

  #digest(...parts: readonly (string | Buffer)[]): Buffer {
    const hmac = createHmac('sha256', this.#secret);
    for (const part of parts) hmac.update(`${part.length}:`).update(part);
    return hmac.digest();
  }

  #anyOf(users: ReadonlyMap<string, string>, user: string): string {
    const hashes = [...users.values()];
    return hashes[this.#digest(user).readUInt32LE() % hashes.length]!;
  }

  async #enqueue(key: string, job: Omit<Job, 'done' | 'failed'>): Promise<Verdict> {
    const { client } = job;
    if ((this.#queues.get(client)?.length ?? 0) >= this.#limits.waitingPerClient) return 'busy';
    if (this.#waiting >= this.#limits.waiting && !this.#makeRoomFor(client)) return 'busy';
    const { promise, resolve, reject } = Promise.withResolvers<Verdict>();
    const queue = this.#queues.get(client) ?? [];
    queue.push({ ...job, done: resolve, failed: reject });
    this.#queues.set(client, queue);
    this.#waiting += 1;
    this.#underWay.set(key, promise);
    if (!this.#works) void this.#work();
    return promise.finally(() => this.#underWay.delete(key));
  }

  /**
   * Frees a slot of the network with the most slots if it has more than the network of `client` would have. Within that
   * network the client with the most slots loses one; of two equal clients, the one that guesses.
   */
  #makeRoomFor(client: string): boolean {
    const places = new Map<string, number>();
    for (const [name, { length }] of [...this.#queues, [client, [0]] as const]) {
      places.set(networkOf(name), (places.get(networkOf(name)) ?? 0) + length);
    }
    const rank = (name: string, own: number): number =>
      (places.get(networkOf(name))! << 8) + 2 * own + Number(this.#guesses(name));
    let most = rank(client, (this.#queues.get(client)?.length ?? 0) + 1);
    let longest: [name: string, queue: Job[]] | undefined;
    for (const entry of this.#queues) {
      const own = rank(entry[0], entry[1].length);
      if (own > most) [longest, most] = [entry, own];
    }
    if (longest === undefined) return false;
    const [name, queue] = longest;
    if (queue.length === 1) this.#queues.delete(name);
    this.#waiting -= 1;
    queue.pop()!.done('busy');
    return true;
  }

  async #work(): Promise<void> {
    this.#works = true;
    for (let job = this.#next(); job !== undefined; job = this.#next()) {
      const begin = performance.now();
      const verdict = await this.#verdict(job).catch(job.failed);
      if (verdict === 'wrong') this.#guessers.add(job.client, this.#now());
      if (verdict) job.done(verdict);
      if (verdict !== 'right') await this.#rest((performance.now() - begin) / 1e3);
    }
    this.#works = false;
  }

  async #verdict({ password, hash, isKnown, highestCost }: Job): Promise<Verdict> {
    if ((await this.#matches(password, hash)) && isKnown) return 'right';
    // Each cost takes twice as long as the one below it. This loop makes a wrong password take as long as for the
    // highest cost.
    for (let cost = costOf(hash); cost < highestCost; cost += 1) await this.#matches(password, withCost(hash, cost));
    return 'wrong';
  }

  #rest(tookSeconds: number): Promise<void> {
    const isUrgent = [...this.#queues.keys()].some((client) => !this.#guesses(client));
    const rests = isUrgent ? this.#limits.restsPerWrongIfUrgent : this.#limits.restsPerWrong;
    const seconds = Math.min(tookSeconds * rests, this.#limits.longestRestSeconds);
    return delay(seconds * 1e3, undefined, { ref: false });
  }

  #guesses(client: string): boolean {
    return this.#guessers.has(client, this.#now());
  }

  #next(): Job | undefined {
    const clients = [...this.#queues.keys()];
    this.#turns += 1;
    // Every other turn goes to a client that does not guess, so that many guessing clients cannot delay it.
    const client = (this.#turns % 2 === 0 ? clients.find((name) => !this.#guesses(name)) : undefined) ?? clients[0];
    if (client === undefined) return undefined;
    const queue = this.#queues.get(client)!;
    this.#waiting -= 1;
    // The client's next turn follows those of all others.
    this.#queues.delete(client);
    if (queue.length > 1) this.#queues.set(client, queue);
    return queue.shift();
  }
}
