import type { CollectionName, JobId } from '@embedmill/jobs';

/** A load that was begun, and not ended: by its job. */
export interface BulkLoad {
  collection: CollectionName;
  job: JobId;
}

/**
 * Of a store whose search index is made while points are written, and can be put off: so that a big first load does not have
 * it made over and over. Searches stay complete meanwhile, and are slower.
 *
 * What is put off is written down in the store, by job, and stays so whatever becomes of the process that asked for it. Several
 * jobs share it: the index is made once the last of them has ended. Whoever finds a load whose job has ended ends it.
 */
export interface BulkLoads {
  /**
   * Puts the index off where the load is a big one, of about so many points, into a collection that has few. Gives whether it
   * is put off now; a job that has begun already has, too.
   */
  begin(name: CollectionName, job: JobId, points: number): Promise<boolean>;
  /** Does nothing where the job has no load here. */
  end(name: CollectionName, job: JobId): Promise<void>;
  list(): Promise<BulkLoad[]>;
}
