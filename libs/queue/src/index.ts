export { backlogOfModel, shardTokens, type Backlog, type ModelBacklog } from './backlog.ts';
export { DEFAULT_PREFIX, refusedForNow, type QueueOptions } from './connection.ts';
export { DispatcherQueue, type JobLook } from './dispatcher-queue.ts';
export { describeQueue } from './queue-description.ts';
export {
  consumeIngest,
  type IngestConsumer,
  type IngestHandle,
  type IngestOptions,
  type JobSubmission,
} from './ingest-consumer.ts';
export {
  parseRecord,
  shareOf,
  scannedSections,
  sourceOf,
  storedIn,
  type GoneDocuments,
  type IngestRecord,
  type BatchReading,
  type DatasetReading,
  type JobSource,
  type NewJob,
} from './ingest-record.ts';
export type { QueueMemory } from './memory.ts';
export {
  ModelConsumer,
  type ConsumerHooks,
  type ModelConsumerOptions,
  type ModelHandlers,
  type ShardAttempt,
} from './model-consumer.ts';
export { jobIdOfKey, newJobId } from './names.ts';
export { PLACE } from './job-index.ts';
export type { JobPage, JobSelection, RetainedJob } from './job-list.ts';
export type { QueryOptions } from './model-queries.ts';
export { connectQueue, Queue } from './queue.ts';
export type { QueueDepth } from './queue-depth.ts';
export { consumeWebhooks, WebhookQueue, type WebhookConsumer, type WebhookMessage } from './webhook-queue.ts';
export { ADDED_AT_ONCE, Room, type WaitingJob } from './room.ts';
export { NO_LEDGER, parseLedger, type RoomLedger } from './room-ledger.ts';
export { type UsageEntry, type UsageOf } from './usage.ts';
export { servedByNone, type Serving } from './serving.ts';
export { SLOT_SECONDS, type Settled, type SettledSlot } from './settled-rates.ts';
export type { Workers, WorkerState } from './worker-notes.ts';
export { areAllSettled, isSettled } from './settled-shards.ts';
