export { openCsv } from './csv.ts';
export { readDocumentLine, reportOf, type DocumentLine } from './document-line.ts';
export { failShard } from './failed-shard.ts';
export { readFileLines, reportsByFile, type FileLines } from './file-lines.ts';
export { MOST_FILES, readFileList, writeFileList, type ListedFile } from './file-list.ts';
export { faultOfFile, gather, type Gathered } from './gathering.ts';
export { KeySet } from './key-set.ts';
export { MAX_LINE_BYTES, readLines, type Line } from './lines.ts';
export {
  readManifest,
  SHARD_LIMITS,
  writeManifest,
  type ManifestPlace,
  type ManifestTotals,
  type SectionStart,
  type ShardLimits,
} from './manifest.ts';
export { openParquet } from './open-parquet.ts';
export { type RangeTombstoneKey } from './range-tombstones.ts';
export type { ParsedFile, ParseFile } from './document-file.ts';
export { DuplicateFinder } from './duplicates.ts';
export { RowFault } from './row-fault.ts';
export { S3Objects } from './s3-objects.ts';
export { fileSource, openLocalSource } from './file-source.ts';
export { assertS3Target, openS3Source } from './source-bytes.ts';
export { filesBelow, isTaken, openLocalFiles, openS3Files, type FoundFiles } from './source-places.ts';
export { Spool, type WatchRecord, type Received } from './spool.ts';
export { type StoredRecords } from './stored-files.ts';
export { readShardLines, type ReadShard, type ShardLine } from './shard-lines.ts';
export { transcode } from './transcode.ts';
export { fetchSource, openSource, redacted, type OpenUrl } from './url.ts';
export type { MapPart, StoredMaps } from './stored-maps.ts';
