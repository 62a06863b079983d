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

export function queueUnavailable(cause: unknown): EmbedmillError {
  const why = causeOf(cause);
  return new EmbedmillError(
    'queue_unavailable',
    `the queue does not answer (${why}); is it running, and REDIS_URL or QUEUE_URL right?`,
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
    timer = setTimeout(() => reject(new Error(`no answer within ${milliseconds} ms`)), milliseconds);
  });
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}
