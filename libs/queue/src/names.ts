import { createHash, randomBytes } from 'node:crypto';
import type { Collection, JobId, TenantId } from '@embedmill/jobs';

export const INGEST_QUEUE = 'ingest';

/** Each model has its own queue of shards, so that a pool of workers claims only the work of its models. */
export const shardQueue = (model: string): string => `shards-${queueSafe(model)}`;

/** The interactive lane of a model. */
export const queryQueue = (model: string): string => `queries-${queueSafe(model)}`;

export const shardJobId = (job: string, index: number): string => `${job}-${index}`;

/** The index of the shard whose BullMQ key this is. */
export const shardIndexOf = (key: string): number => Number(key.slice(key.lastIndexOf('-') + 1));

/** Exists once a job's cancellation was requested. */
export const cancelKey = (id: JobId): string => `cancel:${id}`;

/** The requested priority of a running job. */
export const priorityKey = (id: JobId): string => `priority:${id}`;

/** What dispatchers tell each other about the room on a model's queue. */
export const roomKey = (model: string): string => `room:${model}`;

/** Why workers cannot load a model, while one has tried recently. */
export const troubleKey = (model: string): string => `trouble:${model}`;

/** Exists while a worker serves the model. */
export const servingKey = (model: string): string => `serving:${model}`;

/** Exists while a worker loads the model, or is about to. */
export const loadingKey = (model: string): string => `loading:${model}`;

/** Exists while there is a worker that serves all models in use. */
export const ANY_MODEL = 'serving-any';

/** The ranked set of workers, by their last heartbeat. */
export const WORKERS = 'workers';

/** What a worker reports about itself. */
export const workerKey = (id: string): string => `worker:${id}`;

/** Exists while somebody's turn lasts. */
export const turnKey = (name: string): string => `turn:${name}`;

/** The ranked set of a collection's submissions and deletions that may still write, by sequence. */
export const writersKey = (collection: string): string => `writers:${collection}`;

/** The same for successfully ended jobs that a verification may repeat. */
export const repeatableKey = (collection: string): string => `repeatable:${collection}`;

/** The set of models that collections use. */
export const MODELS = 'models';

/** The set of models that workers are configured to serve, whether or not collections use them. */
export const TOLD_MODELS = 'told-models';

/** A new job's id; ids sort by creation time. */
export function newJobId(): JobId {
  const random = BigInt(`0x${randomBytes(6).toString('hex')}`);
  return `job_${Date.now().toString(36)}${random.toString(36).padStart(10, '0')}` as JobId;
}

/**
 * The id of the job of a client's Idempotency-Key: the same key of the same tenant gives the same job in the same
 * collection; a collection that was deleted and created again counts as another one.
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
