/**
 * Resolves once all of these writes have; rejects as the first that failed did, yet not before the others have come to an end:
 * so nothing of a call is written after it has been rejected.
 */
export async function settled(writes: Iterable<Promise<unknown>>): Promise<void> {
  const failed = (await Promise.allSettled(writes)).find((result) => result.status === 'rejected');
  if (failed !== undefined) throw failed.reason;
}
