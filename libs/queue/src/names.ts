import { createHash, randomBytes } from 'node:crypto';
import type { Collection, JobId, TenantId } from '@embedmill/jobs';

export const INGEST_QUEUE = 'ingest';

/** Each model has its own queue of shards, so that a pool of workers takes the work of its models only. */
export const shardQueue = (model: string): string => `shards-${queueSafe(model)}`;

/** The interactive lane of a model. */
export const queryQueue = (model: string): string => `queries-${queueSafe(model)}`;

export const shardJobId = (job: string, index: number): string => `${job}-${index}`;

/** The index of the shard whose BullMQ key this is. */
export const shardIndexOf = (key: string): number => Number(key.slice(key.lastIndexOf('-') + 1));

/** Exists once a job was asked to end. */
export const cancelKey = (id: JobId): string => `cancel:${id}`;

/** The priority that a running job was asked to have. */
export const priorityKey = (id: JobId): string => `priority:${id}`;

/** What dispatchers tell each other about the room on a model's queue. */
export const roomKey = (model: string): string => `room:${model}`;

/** Why workers cannot load a model, for as long as one has tried lately. */
export const troubleKey = (model: string): string => `trouble:${model}`;

/** Exists while a worker serves the model. */
export const servingKey = (model: string): string => `serving:${model}`;

/** Exists while a worker loads the model, or is about to. */
export const loadingKey = (model: string): string => `loading:${model}`;

/** Exists while there is a worker that takes any model that is in use. */
export const ANY_MODEL = 'serving-any';

/** The ranked set of workers, by when they last gave a sign of life. */
export const WORKERS = 'workers';

/** What a worker says of itself. */
export const workerKey = (id: string): string => `worker:${id}`;

/** Exists while somebody's turn lasts. */
export const turnKey = (name: string): string => `turn:${name}`;

/** The ranked set of a collection's submissions and deletions that may still write, by their sequences. */
export const writersKey = (collection: string): string => `writers:${collection}`;

/** The same of jobs that have ended well, but that a verification may repeat. */
export const repeatableKey = (collection: string): string => `repeatable:${collection}`;

/** The set of models that collections use. */
export const MODELS = 'models';

/** The set of models that workers were told to serve, whether collections use them or not. */
export const TOLD_MODELS = 'told-models';

/** A new job's id; ids sort by the time they were made. */
export function newJobId(): JobId {
  const random = BigInt(`0x${randomBytes(6).toString('hex')}`);
  return `job_${Date.now().toString(36)}${random.toString(36).padStart(10, '0')}` as JobId;
}

/**
 * The id of the job that a client's Idempotency-Key stands for: the same key of the same tenant gives the same job, in
 * the same collection; one that was made anew under its name is another.
 */
export function jobIdOfKey(
  { name, createdAt }: Pick<Collection, 'name' | 'createdAt'>,
  key: string,
  tenant: TenantId | undefined,
): JobId {
  const known = [name, createdAt, key];
  const digest = createHash('sha256')
    .update(JSON.stringify(tenant === undefined ? known : [...known, tenant]))
    .digest('hex');
  return `job_k${digest.slice(0, 24)}` as JobId;
}

/** BullMQ forbids colons in a queue's name. */
function queueSafe(model: string): string {
  return model.replaceAll(':', '_');
}
