import type { QueueOptions } from './connection.ts';
import { openBroker } from './open-broker.ts';

/**
 * Describes the queue's broker, after checking that it can be used. Errors: `queue_unavailable`, `queue_may_evict`,
 * `invalid_config`.
 */
export async function describeQueue(options: QueueOptions, deadlineMs: number): Promise<string> {
  const broker = await openBroker(options, deadlineMs);
  try {
    return await broker.describe();
  } finally {
    await broker.close();
  }
}
