import type { Broker, BrokerOptions } from './broker.ts';
import { DEFAULT_PREFIX, type QueueOptions } from './connection.ts';
import { PostgresBroker } from './postgres-broker.ts';
import { RedisBroker } from './redis-broker.ts';

/**
 * The broker that the options name, once it has responded. Errors: `queue_unavailable`, `queue_may_evict`,
 * `invalid_config`.
 */
export async function openBroker(options: QueueOptions, deadlineMs?: number): Promise<Broker> {
  const prefix = options.prefix ?? DEFAULT_PREFIX;
  const telemetry =
    options.traced === true ? (await import('./bull-telemetry.ts')).bullTelemetry() : undefined;
  const shared: BrokerOptions = { prefix, ...(telemetry === undefined ? {} : { telemetry }) };
  const broker =
    'postgresUrl' in options ? new PostgresBroker(options, shared) : new RedisBroker(options, shared);
  try {
    await broker.assertUsable(deadlineMs);
    return broker;
  } catch (error) {
    await broker.close();
    throw error;
  }
}
