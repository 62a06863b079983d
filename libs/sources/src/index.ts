export { readDocumentLine, reportOf, type DocumentLine } from './document-line.ts';
export { failShard } from './failed-shard.ts';
export { MAX_LINE_BYTES, readLines, type Line } from './lines.ts';
export {
  readManifest,
  SHARD_LIMITS,
  writeManifest,
  type ManifestTotals,
  type ShardLimits,
} from './manifest.ts';
export { S3Objects } from './s3-objects.ts';
export { fileSource, openLocalSource } from './file-source.ts';
export { assertS3Target, openS3Source } from './source-bytes.ts';
export { readShardLines, type ShardLine } from './shard-lines.ts';
export { Spool, type Received } from './spool.ts';
export { transcode } from './transcode.ts';
export { fetchSource, redacted, type OpenUrl } from './url.ts';
