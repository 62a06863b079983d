import { Redis } from 'ioredis';
import { EmbedmillError } from '@embedmill/jobs';

/**
 * Every key starts with this. The braces are a hash tag: all of a queue's keys fall on one node of a Redis
 * Cluster, as BullMQ's scripts need.
 */
export const DEFAULT_PREFIX = '{embedmill}';

/** How one process reaches the queue. */
export interface QueueOptions {
  /** redis://, rediss://, or the path of a unix socket. */
  redisUrl: string;
  prefix?: string | undefined;
}

/** A connection that waits for Redis to come back, as long as it takes: callers set their own deadlines. */
export function openConnection(redisUrl: string): Redis {
  const redis = new Redis(redisUrl, {
    maxRetriesPerRequest: null,
    enableReadyCheck: true,
    retryStrategy: (times) => Math.min(50 * times, 1000),
    connectTimeout: 5000,
  });
  redis.on('error', () => {
    // Each command reports its own failure; without a listener a lost connection would end the process.
  });
  return redis;
}

/**
 * Rejects with `queue_unavailable` when no Redis answers within `deadlineMs`, and with `queue_may_evict` when
 * the one that does may drop keys, that is jobs, when its memory is full.
 */
export async function assertUsable(redis: Redis, deadlineMs = 10_000): Promise<void> {
  const info = await within(redis.info('memory'), deadlineMs).catch((error: unknown) => {
    throw queueUnavailable(error);
  });
  const policy = /^maxmemory_policy:(\S+)/m.exec(info)?.[1] ?? 'unknown';
  if (policy !== 'noeviction') {
    throw new EmbedmillError(
      'queue_may_evict',
      `this Redis has maxmemory-policy ${policy}, so it may drop jobs when memory is full; ` +
        'set it to noeviction (CONFIG SET maxmemory-policy noeviction, and in redis.conf)',
    );
  }
}

export function queueUnavailable(cause: unknown): EmbedmillError {
  const why = cause instanceof Error && cause.message !== '' ? cause.message : String(cause);
  return new EmbedmillError(
    'queue_unavailable',
    `Redis does not answer (${why}); is it running, and REDIS_URL right?`,
    {
      cause,
      retryAfter: 2,
    },
  );
}

/** The promise's outcome, or a rejection once `milliseconds` have passed. */
export async function within<T>(promise: Promise<T>, milliseconds: number): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`no answer within ${milliseconds} ms`)), milliseconds);
  });
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}
