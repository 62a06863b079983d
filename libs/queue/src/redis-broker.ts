import { Queue as BullQueue, Worker, type Processor } from 'bullmq';
import { Cluster, type Redis } from 'ioredis';
import { EmbedmillError } from '@embedmill/jobs';
import type {
  Broker,
  BrokerOptions,
  BrokerWorker,
  BrokerWorkerOptions,
  Count,
  HeldJob,
  HeldLook,
  Listing,
  StoredJob,
} from './broker.ts';
import { BullQueues } from './bull-queues.ts';
import { withdrawUnbegun } from './withdrawal.ts';
import { queueUnavailable, within, type RedisOptions } from './connection.ts';
import { memoryOf, type QueueMemory } from './memory.ts';
import { parseRedisAddress } from './redis-address.ts';
import { openRedis } from './redis-connection.ts';

/**
 * Keys from `first` on are lists: first those to remove the place from, as many as the second argument says, then those
 * to add it to.
 */
const LIST = (first: number): string => `
  for n = ${first}, #KEYS do
    if n < ${first} + tonumber(ARGV[2]) then redis.call('ZREM', KEYS[n], ARGV[1])
    else redis.call('ZADD', KEYS[n], 0, ARGV[1]) end
  end
  return 1
`;
/** A dispatcher that was considered dead must not write any more. */
const SAVE_HELD = `
  if redis.call('GET', KEYS[1]) ~= ARGV[3] then return 0 end
  redis.call('HSET', KEYS[2], 'data', ARGV[4])
  ${LIST(3)}`;

/** Both keys are on one node. `%.0f`, because Lua would write large numbers with an exponent. */
const NEXT_SEQUENCE = `
  local time = redis.call('TIME')
  local last = tonumber(redis.call('GET', KEYS[1]) or '0')
  local next = math.max(time[1] * 1000000 + time[2], last + 2, tonumber(ARGV[2]) + 2) + tonumber(ARGV[3])
  local text = string.format('%.0f', next)
  redis.call('SET', KEYS[1], text)
  redis.call('ZADD', KEYS[2], text, ARGV[1])
  return text
`;
/** Read-only. Each job has four of BullMQ's keys, plus as many as the first argument says. */
const LOOK_AT_HELD = `
  local looks = {}
  local more = tonumber(ARGV[1])
  for n = 1, #ARGV - 1 do
    local at = (n - 1) * (4 + more)
    local look = {
      redis.call('GET', KEYS[at + 1]) == ARGV[n + 1] and 1 or 0,
      redis.call('SCARD', KEYS[at + 2]),
      redis.call('HLEN', KEYS[at + 3]) + redis.call('HLEN', KEYS[at + 4]),
    }
    for key = 1, more do look[3 + key] = redis.call('GET', KEYS[at + 4 + key]) end
    looks[n] = look
  end
  return looks
`;
/** The keys are those of the counts, one per addition, preceded by the job's key if its data is given. */
const ADD_COUNTS = `
  local first = 1
  if ARGV[2] ~= '' then
    if redis.call('HGET', KEYS[1], 'data') ~= ARGV[2] then return 0 end
    redis.call('HSET', KEYS[1], 'data', ARGV[3])
    first = 2
  end
  for n = first, #KEYS do
    local at = 4 + (n - first) * 2
    redis.call('HINCRBY', KEYS[n], ARGV[at], ARGV[at + 1])
    redis.call('EXPIRE', KEYS[n], ARGV[1])
  end
  return 1
`;
const NO_LISTING: Listing = { place: '', from: [], to: [] };
const SWAP = `
  if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
  redis.call('SET', KEYS[1], ARGV[2], 'EX', ARGV[3])
  return 1
`;

/** The Redis broker: a single server, a master found through sentinels, or a cluster. */
export class RedisBroker implements Broker {
  readonly queues: BullQueues;
  readonly #options: RedisOptions;
  readonly #shared: BrokerOptions;
  readonly #redis: Redis | Cluster;
  #subscriber: Redis | Cluster | undefined;
  /** Why the last attempt to connect failed, which the errors of waiting commands do not say. */
  #problem: Error | undefined;

  constructor(options: RedisOptions, shared: BrokerOptions) {
    this.#options = options;
    this.#shared = shared;
    this.#redis = openRedis(options);
    this.#redis.on('error', (error) => (this.#problem = error));
    this.queues = new BullQueues((name) => new BullQueue(name, { connection: this.#redis, ...shared }));
  }

  worker<Data, Result>(
    name: string,
    processor: Processor<Data, Result>,
    options: BrokerWorkerOptions,
  ): BrokerWorker {
    return new Worker<Data, Result>(name, processor, {
      ...options,
      connection: this.#redis,
      ...this.#shared,
    });
  }

  async assertUsable(deadlineMs = 10_000): Promise<void> {
    const memories = await within(this.#memoryOfMasters(), deadlineMs).catch((error: unknown) => {
      throw queueUnavailable(this.#problem ?? error);
    });
    for (const memory of memories) {
      const policy = /^maxmemory_policy:(\S+)/m.exec(memory)?.[1] ?? 'unknown';
      if (policy === 'noeviction') continue;
      throw new EmbedmillError(
        'queue_may_evict',
        `this Redis has maxmemory-policy ${policy}, so it may evict jobs when memory is full; ` +
          'set it to noeviction (CONFIG SET maxmemory-policy noeviction, and in redis.conf)',
      );
    }
  }

  async ping(): Promise<void> {
    await this.#redis.ping();
  }

  async memory(): Promise<QueueMemory | undefined> {
    const memories = (await this.#memoryOfMasters()).map(memoryOf);
    const fullness = ({ usedBytes, limitBytes = Infinity }: QueueMemory): number => usedBytes / limitBytes;
    const [fullest] = memories.sort((a, b) => fullness(b) - fullness(a));
    return fullest && { ...fullest, evicts: memories.some(({ evicts }) => evicts) };
  }

  async describe(): Promise<string> {
    const version = /^redis_version:(\S+)/m.exec(await this.#redis.info('server'))?.[1] ?? '';
    const { kind } = parseRedisAddress(this.#options.redisUrl);
    const how = kind === 'sentinel' ? ' by Sentinel' : kind === 'cluster' ? ' Cluster' : '';
    return `Redis${how} ${version}, noeviction`;
  }

  get(key: string): Promise<string | null> {
    return this.#redis.get(this.#key(key));
  }

  async set(key: string, value: string, seconds: number): Promise<void> {
    await this.#redis.set(this.#key(key), value, 'EX', seconds);
  }

  async swap(key: string, before: string, value: string, seconds: number): Promise<boolean> {
    return (await this.#redis.eval(SWAP, 1, this.#key(key), before, value, seconds)) === 1;
  }

  async setIfAbsent(key: string, value: string, seconds: number): Promise<boolean> {
    return (await this.#redis.set(this.#key(key), value, 'EX', seconds, 'NX')) === 'OK';
  }

  async delete(key: string): Promise<void> {
    await this.#redis.del(this.#key(key));
  }

  async addCounts(added: readonly Count[], seconds: number): Promise<void> {
    if (added.length > 0) await this.#addCounts(added, seconds);
  }

  async #addCounts(
    added: readonly Count[],
    seconds: number,
    job?: { key: string; before: string; after: string },
  ): Promise<boolean> {
    const keys = [...(job === undefined ? [] : [job.key]), ...added.map(({ counts }) => this.#key(counts))];
    const args = added.flatMap(({ field, by }) => [field, by]);
    const { before = '', after = '' } = job ?? {};
    return (await this.#redis.eval(ADD_COUNTS, keys.length, ...keys, seconds, before, after, ...args)) === 1;
  }

  async readCounts(names: readonly string[]): Promise<Record<string, number>[]> {
    return Promise.all(
      names.map(async (name) => {
        const counts = await this.#redis.hgetall(this.#key(name));
        return Object.fromEntries(Object.entries(counts).map(([field, value]) => [field, Number(value)]));
      }),
    );
  }

  async changeAndCount(
    queue: string,
    id: string,
    change: (data: unknown) => { data: object; added: readonly Count[] } | undefined,
    seconds: number,
  ): Promise<void> {
    const key = this.#key(`${queue}:${id}`);
    for (;;) {
      const before = await this.#redis.hget(key, 'data');
      const changed = before === null ? undefined : change(JSON.parse(before));
      if (before === null || changed === undefined) return;
      const after = JSON.stringify(changed.data);
      if (await this.#addCounts(changed.added, seconds, { key, before, after })) return;
    }
  }

  async addMember(set: string, member: string): Promise<void> {
    await this.#redis.sadd(this.#key(set), member);
  }

  members(set: string): Promise<string[]> {
    return this.#redis.smembers(this.#key(set));
  }

  async nextSequence(set: string, member: string, after: number, room = 0): Promise<number> {
    const keys = [this.#key('sequence'), this.#key(set)] as const;
    return Number(await this.#redis.eval(NEXT_SEQUENCE, 2, ...keys, member, String(after), String(room)));
  }

  async addRanked(set: string, member: string, rank: number): Promise<void> {
    await this.#redis.zadd(this.#key(set), rank, member);
  }

  async removeRanked(set: string, member: string): Promise<void> {
    await this.#redis.zrem(this.#key(set), member);
  }

  async rankBelow(set: string, rank: number): Promise<number> {
    const below = [`(${rank}`, '-inf', 'WITHSCORES', 'LIMIT', 0, 1] as const;
    const [, found = 0] = await this.#redis.zrevrangebyscore(this.#key(set), ...below);
    return Number(found);
  }

  async ranked(set: string): Promise<{ member: string; rank: number }[]> {
    const found = await this.#redis.zrange(this.#key(set), '0', '-1', 'WITHSCORES');
    return found.flatMap((member, at) => (at % 2 === 0 ? { member, rank: Number(found[at + 1]) } : []));
  }

  async list({ place, from, to }: Listing): Promise<void> {
    const keys = [...from, ...to].map((name) => this.#key(name));
    await this.#redis.eval(LIST(1), keys.length, ...keys, place, from.length);
  }

  /** Members with the same score are ordered by their bytes. */
  placesBelow(list: string, below: string | undefined, limit: number): Promise<string[]> {
    const from = below === undefined ? '+' : `(${below}`;
    return this.#redis.zrevrangebylex(this.#key(list), from, '-', 'LIMIT', 0, limit);
  }

  async areListed(asked: readonly { place: string; lists: readonly string[] }[]): Promise<boolean[]> {
    return Promise.all(
      asked.map(async ({ place, lists }) => {
        const scores = await Promise.all(lists.map((list) => this.#redis.zscore(this.#key(list), place)));
        return scores.every((score) => score !== null);
      }),
    );
  }

  async readJobs(queue: string, ids: readonly string[]): Promise<(StoredJob | undefined)[]> {
    const read = async (id: string): Promise<StoredJob | undefined> => {
      const key = this.#key(`${queue}:${id}`);
      const fields = ['data', 'timestamp', 'finishedOn'] as const;
      const [data = null, createdAt, finishedAt = null] = await this.#redis.hmget(key, ...fields);
      if (data === null) return undefined;
      return {
        data: JSON.parse(data),
        createdAt: Number(createdAt),
        finishedAt: finishedAt === null ? undefined : Number(finishedAt),
      };
    };
    return Promise.all(ids.map(read));
  }

  async publish(channel: string, message: Uint8Array): Promise<void> {
    await this.#redis.publish(this.#key(channel), Buffer.from(message));
  }

  async subscribe(channel: string, receive: (message: Uint8Array) => void): Promise<void> {
    this.#subscriber = openRedis(this.#options);
    this.#subscriber.on('messageBuffer', (_channel: Buffer, message: Buffer) => receive(message));
    await this.#subscriber.subscribe(this.#key(channel));
  }

  onReturn(callback: () => void): void {
    this.#redis.on('ready', callback);
  }

  async isHeld(queue: string, id: string, token: string): Promise<boolean> {
    return (await this.#redis.get(this.#key(`${queue}:${id}:lock`))) === token;
  }

  async saveHeld(
    queue: string,
    id: string,
    token: string,
    data: object,
    { place, from, to }: Listing = NO_LISTING,
  ): Promise<boolean> {
    const job = this.#key(`${queue}:${id}`);
    const keys = [`${job}:lock`, job, ...[...from, ...to].map((name) => this.#key(name))];
    const args = [place, from.length, token, JSON.stringify(data)];
    return (await this.#redis.eval(SAVE_HELD, keys.length, ...keys, ...args)) === 1;
  }

  async lookAtHeld(queue: string, jobs: readonly HeldJob[]): Promise<HeldLook[]> {
    if (jobs.length === 0) return [];
    const keys = jobs.flatMap(({ id, keys: asked }) => [
      ...['lock', 'dependencies', 'processed', 'failed'].map((part) => this.#key(`${queue}:${id}:${part}`)),
      ...asked.map((key) => this.#key(key)),
    ]);
    const tokens = jobs.map(({ token }) => token);
    const more = jobs[0]?.keys.length ?? 0;
    const looks = await this.#redis.eval(LOOK_AT_HELD, keys.length, ...keys, more, ...tokens);
    return (looks as [number, number, number, ...(string | null)[]][]).map(
      ([held, outstanding, settled, ...asked]) => ({ isHeld: held === 1, outstanding, settled, asked }),
    );
  }

  async forgetChildren(queue: string, parentId: string, childKeys: string[]): Promise<void> {
    const parent = this.#key(`${queue}:${parentId}`);
    await this.#redis.hdel(`${parent}:processed`, ...childKeys);
    await this.#redis.hdel(`${parent}:failed`, ...childKeys);
  }

  async withdrawChildren(queue: string, parentId: string): Promise<void> {
    await withdrawUnbegun(this.queues, queue, parentId);
  }

  async close(): Promise<void> {
    await this.queues.close();
    this.#subscriber?.disconnect();
    this.#redis.disconnect();
  }

  async #memoryOfMasters(): Promise<string[]> {
    if (!(this.#redis instanceof Cluster)) return [await this.#redis.info('memory')];
    // Nodes are known once the cluster has responded.
    await this.#redis.ping();
    return Promise.all(this.#redis.nodes('master').map((node) => node.info('memory')));
  }

  #key(name: string): string {
    return `${this.#shared.prefix}:${name}`;
  }
}
