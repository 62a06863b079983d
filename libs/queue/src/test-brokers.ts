import { profileSchema, type Collection } from '@embedmill/jobs';
import { missingPostgres, startTestPostgres } from '@embedmill/postgres-server';
import {
  hasOpenssl,
  startTestCluster,
  startTestRedis,
  startTestSentinel,
  startTestTlsRedis,
} from '@embedmill/redis-server';
import type { QueueOptions } from './connection.ts';

/** The brokers for tests: each available broker, with each way to connect to it. */
export interface TestBroker {
  name: string;
  /** Why it is unavailable here. */
  missing?: string | undefined;
  start(): Promise<{ options: QueueOptions; stop(): Promise<void> }>;
}

export const BROKERS: readonly TestBroker[] = [
  {
    name: 'Redis',
    async start() {
      const { url, stop } = await startTestRedis();
      return { options: { redisUrl: url }, stop };
    },
  },
  {
    name: 'Redis by TLS',
    missing: hasOpenssl ? undefined : 'no openssl here',
    async start() {
      const { url, ca, stop } = await startTestTlsRedis();
      return { options: { redisUrl: url, redisTlsCa: ca }, stop };
    },
  },
  {
    name: 'Redis by Sentinel',
    async start() {
      const { url, sentinelPassword, stop } = await startTestSentinel();
      return { options: { redisUrl: url, redisSentinelPassword: sentinelPassword }, stop };
    },
  },
  {
    name: 'Redis Cluster',
    async start() {
      const { url, stop } = await startTestCluster();
      return { options: { redisUrl: url }, stop };
    },
  },
  {
    name: 'Redis Cluster by TLS',
    missing: hasOpenssl ? undefined : 'no openssl here',
    async start() {
      const { url, ca, stop } = await startTestCluster({ tls: true });
      return { options: { redisUrl: url, redisTlsCa: ca }, stop };
    },
  },
  {
    name: 'PostgreSQL',
    missing: missingPostgres,
    async start() {
      const { url, stop } = await startTestPostgres();
      return { options: { postgresUrl: url }, stop };
    },
  },
];

export const collection: Collection = {
  name: 'test',
  profile: profileSchema.parse({}),
  dims: 2,
  vector: 'dense',
  createdAt: new Date(0).toISOString(),
};
export const MODEL = collection.profile.model;
