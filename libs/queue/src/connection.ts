import { EmbedmillError } from '@embedmill/jobs';

/**
 * The prefix of every key. The braces are a hash tag: all keys of a queue are on one node of a Redis Cluster, as BullMQ's
 * scripts require. In PostgreSQL it is the schema, without the braces.
 */
export const DEFAULT_PREFIX = '{embedmill}';

/** How a process connects to the queue. */
export type QueueOptions = {
  prefix?: string | undefined;
  /** Whether jobs carry their trace; OpenTelemetry must be set up before. */
  traced?: boolean | undefined;
} & (RedisOptions | PostgresOptions);

export interface RedisOptions {
  /** As parsed by `parseRedisAddress`: one server, sentinels, a cluster, or the path of a Unix socket. */
  redisUrl: string;
  /** A PEM file of the authority of Redis' certificates; the system's authorities by default. */
  redisTlsCa?: string | undefined;
  redisSentinelPassword?: string | undefined;
}

export interface PostgresOptions {
  /** postgres:// as in libpq. */
  postgresUrl: string;
}

/** Codes of replies with which Redis refuses temporarily: the first word of an error reply is its code. */
const REFUSALS = /^(OOM|MISCONF|READONLY|LOADING|MASTERDOWN|NOREPLICAS|CLUSTERDOWN|TRYAGAIN) /;

/**
 * Converts an error of a Redis call to `queue_full` if Redis has no memory for the data, or to `queue_unavailable` if it
 * refuses for another transient reason; undefined for other errors.
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

/** If several addresses were tried, the error of one is more specific than the error for all of them. */
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

/** The broker's response within seconds. Errors: `queue_unavailable`, and those of a broker that refuses temporarily. */
export async function answered<T>(promise: Promise<T>): Promise<T> {
  return within(promise, DEADLINE_MS).catch((error: unknown) => {
    throw refusedForNow(error) ?? queueUnavailable(error);
  });
}
