import { readFileSync } from 'node:fs';
import { Cluster, Redis } from 'ioredis';
import { EmbedmillError } from '@embedmill/jobs';
import type { RedisOptions } from './connection.ts';
import { parseRedisAddress } from './redis-address.ts';

/** A connection that waits for an unavailable Redis. Errors: `invalid_config`. */
export function openRedis({ redisUrl, redisTlsCa, redisSentinelPassword }: RedisOptions): Redis | Cluster {
  const address = parseRedisAddress(redisUrl);
  const retryStrategy = (times: number): number => Math.min(50 * times, 1000);
  const tls = address.tls ? { ca: authorities(redisTlsCa) } : undefined;
  const shared = {
    maxRetriesPerRequest: null,
    enableReadyCheck: true,
    retryStrategy,
    connectTimeout: 5000,
    ...(address.username === undefined ? {} : { username: address.username }),
    ...(address.password === undefined ? {} : { password: address.password }),
    ...(tls === undefined ? {} : { tls }),
  };
  const redis = open();
  redis.on('error', () => {
    // Each command reports its own failure; without a listener a lost connection would end the process.
  });
  return redis;

  function open(): Redis | Cluster {
    switch (address.kind) {
      case 'socket':
        return new Redis({ ...shared, path: address.path });
      case 'server':
        return new Redis({ ...shared, ...address.server, db: address.database });
      case 'sentinel':
        return new Redis({
          ...shared,
          sentinels: address.sentinels,
          name: address.master,
          db: address.database,
          sentinelRetryStrategy: retryStrategy,
          ...(redisSentinelPassword === undefined ? {} : { sentinelPassword: redisSentinelPassword }),
          ...(tls === undefined ? {} : { sentinelTLS: tls, enableTLSForSentinelMode: true }),
        });
      case 'cluster':
        return new Cluster(address.nodes, {
          clusterRetryStrategy: retryStrategy,
          slotsRefreshTimeout: 5000,
          redisOptions: shared,
        });
    }
  }
}

/** Undefined means Node's own certificate authorities. */
function authorities(path: string | undefined): Buffer | undefined {
  if (path === undefined) return undefined;
  try {
    return readFileSync(path);
  } catch (error) {
    const message = `REDIS_TLS_CA: ${path} cannot be read (${String(error)}); expected a file of certificates in PEM`;
    throw new EmbedmillError('invalid_config', message, { cause: error });
  }
}
