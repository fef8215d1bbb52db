import { createHmac, randomBytes, timingSafeEqual } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';

export type Verdict = 'right' | 'wrong' | 'busy';

/** What somebody says who they are. */
export interface Credentials {
  readonly user: string;
  readonly password: Buffer;
}

// The last 31 characters of a bcrypt hash, which follow version, cost and salt.
const digestOf = (hash: string): Buffer => Buffer.from(hash.slice(-31));

/** Whether the password is that of the bcrypt hash; computed by one thread of libuv's pool. */
export const matches = async (password: Buffer, hash: string): Promise<boolean> => {
  // The add-on is loaded when it is first needed: who sets no passwords can do without.
  const { hash: bcryptHash } = await import('bcrypt');
  // The library knows $2b$ alone by that name, and Go takes $2a$ and $2y$ to be the same.
  const salt = `$2b$${hash.slice(4, 29)}`;
  return timingSafeEqual(digestOf(await bcryptHash(password, salt)), digestOf(hash));
};

/** Keys that were put in lately, at most so many of them; the one that was not asked for longest goes first. */
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
  /** Credentials that are remembered, of each kind. */
  remembered: 1000,
  rightSeconds: 600,
  wrongSeconds: 60,
  /** Credentials that wait to be looked at, of all clients and of one. */
  waiting: 32,
  waitingPerClient: 4,
  /** After a wrong password the next one waits so many times as long as it took: guessing gets a quarter of a processor. */
  restsPerWrong: 3,
  /** But no longer than this: on a busy machine the right one that comes next has waited long enough. */
  longestRestSeconds: 0.5,
};

interface Job {
  readonly password: Buffer;
  readonly hash: string;
  readonly done: (isRight: boolean) => void;
  readonly failed: (error: unknown) => void;
}

/**
 * Looks at passwords, one at a time and off the event loop. What came out is remembered for a while, under a keyed digest. Clients take turns, so
 * that one who guesses does not keep others waiting; those for whom there is no room are told to come again.
 */
export class Passwords {
  readonly #limits: typeof limits;
  readonly #matches: typeof matches;
  readonly #now: () => number;
  readonly #secret = randomBytes(32);
  readonly #right;
  readonly #wrong;
  readonly #underWay = new Map<string, Promise<boolean>>();
  /** Who waits, by client, in the order of their turns. */
  readonly #queues = new Map<string, Job[]>();
  #waiting = 0;
  #works = false;

  constructor(spec: { now: () => number; matches?: typeof matches; limits?: Partial<typeof limits> }) {
    this.#limits = { ...limits, ...spec.limits };
    this.#matches = spec.matches ?? matches;
    this.#now = spec.now;
    this.#right = new Recent(this.#limits.remembered, this.#limits.rightSeconds);
    this.#wrong = new Recent(this.#limits.remembered, this.#limits.wrongSeconds);
  }

  /** Credentials that are remembered. */
  get remembered(): number {
    return this.#right.size + this.#wrong.size;
  }

  /** Whether `client` has said the password of one of the users (by name, bcrypt hashes; at least one). */
  async check(users: ReadonlyMap<string, string>, { user, password }: Credentials, client: string): Promise<Verdict> {
    const known = users.get(user);
    // Somebody who does not exist costs what one of those who do costs, and the same one each time.
    const hash = known ?? this.#anyOf(users, user);
    const key = this.#digest(user, hash, password).toString('base64');
    const now = this.#now();
    if (this.#right.has(key, now)) {
      this.#right.add(key, now);
      return 'right';
    }
    if (this.#wrong.has(key, now)) return 'wrong';
    const isRight = await (this.#underWay.get(key) ?? this.#enqueue(key, password, hash, client));
    if (isRight === undefined) return 'busy';
    const verdict = isRight && known !== undefined ? 'right' : 'wrong';
    (verdict === 'right' ? this.#right : this.#wrong).add(key, this.#now());
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

  #enqueue(key: string, password: Buffer, hash: string, client: string): Promise<boolean> | undefined {
    const queue = this.#queues.get(client) ?? [];
    if (this.#waiting >= this.#limits.waiting || queue.length >= this.#limits.waitingPerClient) return undefined;
    const { promise, resolve, reject } = Promise.withResolvers<boolean>();
    queue.push({ password, hash, done: resolve, failed: reject });
    this.#queues.set(client, queue);
    this.#waiting += 1;
    this.#underWay.set(key, promise);
    if (!this.#works) void this.#work();
    return promise.finally(() => this.#underWay.delete(key));
  }

  async #work(): Promise<void> {
    this.#works = true;
    for (let job = this.#next(); job !== undefined; job = this.#next()) {
      const begin = performance.now();
      const isRight = await this.#matches(job.password, job.hash).catch(job.failed);
      if (isRight !== undefined) job.done(isRight);
      if (isRight !== true) await this.#rest((performance.now() - begin) / 1e3);
    }
    this.#works = false;
  }

  #rest(tookSeconds: number): Promise<void> {
    const seconds = Math.min(tookSeconds * this.#limits.restsPerWrong, this.#limits.longestRestSeconds);
    return delay(seconds * 1e3, undefined, { ref: false });
  }

  #next(): Job | undefined {
    const [first] = this.#queues;
    if (first === undefined) return undefined;
    const [client, queue] = first;
    const job = queue.shift();
    this.#queues.delete(client);
    if (queue.length > 0) this.#queues.set(client, queue);
    this.#waiting -= 1;
    return job;
  }
}
