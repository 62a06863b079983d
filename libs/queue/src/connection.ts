import { EmbedmillError } from '@embedmill/jobs';

/**
 * Every key starts with this. The braces are a hash tag: all of a queue's keys fall on one node of a Redis
 * Cluster, as BullMQ's scripts need. In PostgreSQL it is the schema, without the braces.
 */
export const DEFAULT_PREFIX = '{embedmill}';

/** How one process reaches the queue. */
export type QueueOptions = {
  prefix?: string | undefined;
  /** Whether jobs carry the trace that they are part of; OpenTelemetry is set up by then. */
  traced?: boolean | undefined;
} & (RedisOptions | PostgresOptions);

export interface RedisOptions {
  /** As `parseRedisAddress` reads it: one server, sentinels, a cluster, or the path of a unix socket. */
  redisUrl: string;
  /** A file of the certificates, in PEM, that sign those of Redis; the system's without it. */
  redisTlsCa?: string | undefined;
  redisSentinelPassword?: string | undefined;
}

export interface PostgresOptions {
  /** postgres:// as libpq has it. */
  postgresUrl: string;
}

/** Codes of replies by which Redis refuses for now: the first word of an error reply is its code. */
const REFUSALS = /^(OOM|MISCONF|READONLY|LOADING|MASTERDOWN|NOREPLICAS|CLUSTERDOWN|TRYAGAIN) /;

/**
 * What a call to Redis threw, as `queue_full` where Redis has no memory for what it was to keep, as
 * `queue_unavailable` where it takes nothing for another reason that may pass; undefined where it is something else.
 */
export function refusedForNow(thrown: unknown): EmbedmillError | undefined {
  if (!(thrown instanceof Error) || thrown.name !== 'ReplyError') return undefined;
  const code = REFUSALS.exec(thrown.message)?.[1];
  if (code === undefined) return undefined;
  if (code !== 'OOM') return queueUnavailable(thrown);
  const message =
    'the queue’s Redis has no memory left (maxmemory); let running jobs end or give it more memory, and try again';
  return new EmbedmillError('queue_full', message, { cause: thrown, retryAfter: 30 });
}

export function queueUnavailable(cause: unknown): EmbedmillError {
  const why = causeOf(cause);
  return new EmbedmillError(
    'queue_unavailable',
    `the queue does not respond (${why}); is it running, and is REDIS_URL or QUEUE_URL right?`,
    {
      cause,
      retryAfter: 2,
    },
  );
}

/** Where several addresses were tried, what came of one says more than the error for all of them. */
function causeOf(cause: unknown): string {
  const first =
    cause instanceof AggregateError
      ? (cause.errors[0] as unknown)
      : cause instanceof Error && 'lastNodeError' in cause
        ? (cause.lastNodeError ?? cause)
        : cause;
  return first instanceof Error && first.message !== '' ? first.message : String(first);
}

/** The promise's outcome, or a rejection once `milliseconds` have passed. */
export async function within<T>(promise: Promise<T>, milliseconds: number): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`no response within ${milliseconds} ms`)), milliseconds);
  });
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}

/** How long a call may wait for the broker. */
const DEADLINE_MS = 5000;

/** What the broker answers within seconds. Errors: `queue_unavailable`, and those of a broker that refuses for now. */
export async function answered<T>(promise: Promise<T>): Promise<T> {
  return within(promise, DEADLINE_MS).catch((error: unknown) => {
    throw refusedForNow(error) ?? queueUnavailable(error);
  });
}
