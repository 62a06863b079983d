/**
 * Resolves once all of these writes have resolved. Rejects with the first failure, but only after all others have
 * settled, so that nothing is written after a call has been rejected.
 */
export async function settled(writes: Iterable<Promise<unknown>>): Promise<void> {
  const failed = (await Promise.allSettled(writes)).find((result) => result.status === 'rejected');
  if (failed !== undefined) throw failed.reason;
}
