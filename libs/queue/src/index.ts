export { backlogOfModel, type Backlog, type ModelBacklog } from './backlog.ts';
export { DEFAULT_PREFIX, refusedForNow, type QueueOptions } from './connection.ts';
export { describeQueue } from './queue-description.ts';
export {
  consumeIngest,
  type IngestConsumer,
  type IngestHandle,
  type IngestOptions,
} from './ingest-consumer.ts';
export { parseRecord, sourceOf, type IngestRecord, type JobSource, type NewJob } from './ingest-record.ts';
export type { QueueMemory } from './memory.ts';
export {
  ModelConsumer,
  type ConsumerHooks,
  type ModelConsumerOptions,
  type ModelHandlers,
} from './model-consumer.ts';
export { jobIdOfKey, newJobId } from './names.ts';
export { connectQueue, Queue, type QueryOptions, type QueueDepth, type RetainedJob } from './queue.ts';
export { consumeWebhooks, WebhookQueue, type WebhookConsumer, type WebhookMessage } from './webhook-queue.ts';
export { areAllSettled, isSettled } from './settled-shards.ts';
export { ADDED_AT_ONCE, ShardBound } from './shard-bound.ts';
