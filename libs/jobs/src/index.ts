export { childEnvironment } from './child-environment.ts';
export { DiskSpace } from './disk-space.ts';
export {
  ANALYSIS_VERSION,
  collectionNameSchema,
  collectionSchema,
  definitionSchema,
  embeddingProfileSchema,
  NO_COLLECTION,
  chunkingSchema,
  denseVectors,
  filterableFieldSchema,
  filterableTypeSchema,
  languageSchema,
  profileAsCreated,
  withField,
  LEAST_BINARY,
  profileSchema,
  type AnalysisVersion,
  type Bm25Options,
  type Bm42Options,
  type Chunking,
  type Collection,
  type EmbeddingProfile,
  type DenseVector,
  type FilterableType,
  type Language,
  type Profile,
  type SparseProfile,
  type SpladeOptions,
  lateInteractionSchema,
  layoutSchema,
  type CollectionLayout,
  type LateInteraction,
  type VideoOptions,
} from './profile.ts';
export {
  apiKeyEntrySchema,
  wantedKeySchema,
  type WantedKey,
  apiKeyHash,
  apiKeyId,
  apiKeysSchema,
  isApiKey,
  newApiKey,
  SCOPES,
  scopeSchema,
  type ApiKeyEntry,
  type Scope,
} from './api-key.ts';
export {
  denseNameSchema,
  SPARSE_SCHEMES,
  sparseSchemeSchema,
  WITH_IDF,
  type DenseName,
  type SparseScheme,
  type SparseVector,
  type TokenVectors,
} from './vectors.ts';
export {
  documentSchema,
  spokenText,
  type Document,
  type Tombstone,
  type DocumentLimits,
  type DocumentScope,
} from './document.ts';
export { documentIdOf, parseDocument, type DocumentParse } from './document-parse.ts';
export { jsonSchema, type Json } from './json.ts';
export { parseKept, readKept } from './kept.ts';
export { joinedText, textAround, type TextChunk } from './joined-text.ts';
export { instantOf, instantText } from './datetime.ts';
export { exactNumber, mayHaveInexactNumber, parseJson } from './exact-json.ts';
export { maxFailuresSchema, tooManyFailures, type MaxFailures } from './max-failures.ts';
export { METADATA_BYTES } from './metadata.ts';
export { parseImageReference, type ImageReference, type ImageReferenceParse } from './image-reference.ts';
export {
  asEmbedmillError,
  EmbedmillError,
  errorCodeSchema,
  ERRORS,
  type ErrorCode,
  type ErrorDetail,
} from './errors.ts';
export { filterSchema, type Filter, type GeoArea, type Scalar } from './filter.ts';
export { geoPointOf, metadataAt, type GeoPoint } from './metadata-field.ts';
export {
  DEFAULT_TENANT,
  pointId,
  tenantSchema,
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
  type FinishedState,
  jobSchema,
  jobStateSchema,
  NO_PROGRESS,
  PRIORITIES,
  prioritySchema,
  progressSchema,
  type Job,
  type JobState,
  type Priority,
  type Progress,
} from './job.ts';
export {
  hitSchema,
  instructionSchema,
  recommendRequestSchema,
  searchRequestSchema,
  searchResponseSchema,
  type Example,
  type Fusion,
  type Hit,
  type RecommendRequest,
  type Rerank,
  type SearchRequest,
  type SearchRequestInput,
  type TermShare,
} from './search.ts';
export {
  querySchema,
  roleSchema,
  ROLES,
  type DenseResult,
  type DenseVectors,
  type Query,
  type QueryOf,
  type QueryResult,
  type QueryResults,
  type QuestionTokens,
  type QueryTask,
  type InputReading,
  type Role,
  type TextToken,
} from './query.ts';
export {
  addedReports,
  DEFAULT_MAX_REPORTS,
  documentReportSchema,
  isBeyond,
  jobReportsSchema,
  moreReportsSchema,
  NO_REPORTS,
  REPORT_KINDS,
  reportRoom,
  shardReportRoom,
  type DocumentReport,
  type JobReports,
  type MoreReports,
  type ReportKind,
  type ReportRoom,
} from './report.ts';
export { JOB_EVENTS, jobLogLineSchema, type JobLogLine, type JobNote, type NoteJob } from './job-log.ts';
export { sequenceSchema } from './sequence.ts';
export {
  CopiedSections,
  FIRST_SECTION_BYTES,
  sectionAt,
  sectionSchema,
  sectionSequence,
  sectionsOf,
  WHOLE,
  type SourceSection,
} from './section.ts';
export { shortestFloats } from './float32.ts';
export {
  addedStages,
  NO_COUNTS,
  purposeSchema,
  shardRangeSchema,
  shardResultSchema,
  shardSchema,
  sourceRefSchema,
  storedSourceSchema,
  type Shard,
  type ShardRange,
  type ShardResult,
  type SourceRef,
  type StoredSource,
} from './shard.ts';
export {
  addedUsage,
  dayOf,
  NO_USAGE,
  USAGE_DIMENSIONS,
  usageAmountsSchema,
  usageDimensionSchema,
  usageReportSchema,
  withShardUsage,
  type DailyUsage,
  type UsageAmounts,
  type UsageDimension,
  type UsageReport,
  type UsageRow,
} from './usage.ts';
export { unitVector } from './document-vector.ts';
export {
  askedSink,
  outputFormatSchema,
  outputRequestSchema,
  sinkSchema,
  type OutputFormat,
  type OutputRequest,
  type Sink,
} from './sink.ts';
export { USUAL_QDRANT, type QdrantLayout } from './qdrant-settings.ts';
export {
  listed,
  queueAddress,
  readSettings,
  sharedConfig,
  sharedSettings,
  type QueueAddress,
  type SharedConfig,
} from './settings.ts';
export { milvusConfig, milvusSettings, type MilvusConfig } from './milvus-settings.ts';
export {
  assertReadingFits,
  columnsSchema,
  encodingOf,
  encodingOfNamed,
  formatOfMediaType,
  formatOfName,
  MEDIA_TYPES,
  readingOf,
  readingSchema,
  sourceEncodingSchema,
  sourceFormatSchema,
  type Columns,
  type NamedFormat,
  type Reading,
  type SaidFormat,
  type SourceEncoding,
  type SourceFormat,
} from './source-format.ts';
export {
  webhookDeliverySchema,
  webhookEventSchema,
  webhookKey,
  webhookSchema,
  webhookSecretSchema,
  type Webhook,
  type WebhookDelivery,
  type WebhookEvent,
} from './webhook.ts';
export {
  DEFAULT_MAX_DELETED,
  documentChangeSchema,
  jobModeSchema,
  maxDeletedSchema,
  snapshotOptionsSchema,
  sourceNameSchema,
  tooManyDeletions,
  type DocumentChange,
  type JobMode,
  type SnapshotOptions,
} from './snapshot.ts';
export { verificationSchema, type Verification } from './verification.ts';
export {
  scheduleSchema,
  watchedNameSchema,
  sourceRunSchema,
  watchedSourceSchema,
  watchedSourceViewSchema,
  type Schedule,
  type SourceRun,
  type WatchedSource,
  type WatchedSourceView,
} from './watched-source.ts';
export {
  batchErrorSchema,
  batchRequestSchema,
  batchSchema,
  openaiErrorOf,
  vectorFormSchema,
  type Batch,
  type BatchError,
  type BatchRequest,
} from './batch.ts';
export { datasetJobSchema, type DatasetJob } from './dataset-job.ts';
export { workerModelSchema, workerNoteSchema, type WorkerModel, type WorkerNote } from './worker-note.ts';
export {
  MOST_BLOCKS,
  MOST_HEADING_CHARACTERS,
  MOST_FILE_BYTES,
  MOST_PAGES,
  MOST_SECTIONS,
  chunkStructure,
  joinedStructure,
  ownStructure,
  pageSchema,
  spokenHead,
  structureSchema,
  type Block,
  type ChunkStructure,
  type DocumentStructure,
  type Page,
  type Section,
} from './structure.ts';
