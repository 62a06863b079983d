export {
  collectionNameSchema,
  collectionSchema,
  chunkingSchema,
  filterableTypeSchema,
  profileSchema,
  type Chunking,
  type Collection,
  type FilterableType,
  type Profile,
} from './profile.ts';
export {
  documentIdOf,
  documentSchema,
  parseDocument,
  type Document,
  type DocumentParse,
  type Json,
} from './document.ts';
export { asEmbedmillError, EmbedmillError, ERRORS, type ErrorCode, type ErrorDetail } from './errors.ts';
export { filterSchema, type Filter, type Scalar } from './filter.ts';
export {
  DEFAULT_TENANT,
  pointId,
  uuidV5,
  type CollectionName,
  type DocumentId,
  type JobId,
  type PointId,
  type TenantId,
} from './ids.ts';
export {
  addResult,
  isFinished,
  jobSchema,
  jobStateSchema,
  NO_PROGRESS,
  progressSchema,
  type Job,
  type JobState,
  type Progress,
} from './job.ts';
export {
  hitSchema,
  searchRequestSchema,
  searchResponseSchema,
  type Hit,
  type SearchRequest,
} from './search.ts';
export {
  querySchema,
  shardRangeSchema,
  shardResultSchema,
  shardSchema,
  sourceRefSchema,
  type DocumentReport,
  type Query,
  type QueryResult,
  type Shard,
  type ShardRange,
  type ShardResult,
  type SourceRef,
} from './shard.ts';
export { readSettings, sharedConfig, sharedSettings, type SharedConfig } from './settings.ts';
