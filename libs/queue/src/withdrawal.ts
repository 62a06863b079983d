import type { BullQueues } from './bull-queues.ts';

/** More shards than a job ever has on the queue. */
const MOST_CHILDREN = 10_000;

/**
 * Removes a parent's children that no worker has started. A started child, even if its worker died or returned it, may
 * have been partly written: it stays, so that another worker finishes it.
 */
export async function withdrawUnbegun(queues: BullQueues, queue: string, parentId: string): Promise<void> {
  const parent = await queues.get(queue).getJob(parentId);
  const { unprocessed = [] } =
    (await parent?.getDependencies({ unprocessed: { count: MOST_CHILDREN, cursor: 0 } })) ?? {};
  for (const key of unprocessed) {
    // A key is the queue's key, then the job's id, which contains no colon.
    const [id = '', name = ''] = key.split(':').toReversed();
    const child = await queues.get(name).getJob(id);
    // A child that was claimed meanwhile is locked, and stays.
    if (child?.attemptsStarted === 0) await child.remove().catch(() => undefined);
  }
}
