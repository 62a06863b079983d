import type { BullQueues } from './bull-queues.ts';

/** More than a job ever has on the queue. */
const MOST_CHILDREN = 10_000;

/**
 * Removes a parent's children that no worker has begun. What one has begun, and died of or given back, may have written a
 * part: it stays, so that another worker ends it.
 */
export async function withdrawUnbegun(queues: BullQueues, queue: string, parentId: string): Promise<void> {
  const parent = await queues.get(queue).getJob(parentId);
  const { unprocessed = [] } =
    (await parent?.getDependencies({ unprocessed: { count: MOST_CHILDREN, cursor: 0 } })) ?? {};
  for (const key of unprocessed) {
    // A key is the queue's, then the job's id, in which there is no colon.
    const [id = '', name = ''] = key.split(':').toReversed();
    const child = await queues.get(name).getJob(id);
    // One that was claimed in the meantime is locked, and stays.
    if (child?.attemptsStarted === 0) await child.remove().catch(() => undefined);
  }
}
