import type { CollectionName, JobId } from '@embedmill/jobs';

/** A load that has begun but not ended, identified by its job. */
export interface BulkLoad {
  collection: CollectionName;
  job: JobId;
}

/**
 * For stores that build the search index while points are written, and can defer it, so that a large first load does
 * not rebuild it repeatedly. Searches stay complete meanwhile, but are slower.
 *
 * A deferral is recorded in the store by job, and survives the process that requested it. Several jobs share it: the
 * index is built once the last of them has ended. A load whose job has ended is ended by whichever process finds it.
 */
export interface BulkLoads {
  /**
   * Defers the index if the load is large, about this many points, relative to the collection. Returns whether it is
   * deferred now, which includes a job that has already begun.
   */
  begin(name: CollectionName, job: JobId, points: number): Promise<boolean>;
  /** Does nothing if the job has no load here. */
  end(name: CollectionName, job: JobId): Promise<void>;
  list(): Promise<BulkLoad[]>;
}
