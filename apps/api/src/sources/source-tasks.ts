import {
  EmbedmillError,
  spokenText,
  tooManyFailures,
  type Collection,
  type DocumentId,
  type DocumentScope,
  type ErrorCode,
  type JobId,
  type Language,
  type MaxFailures,
  type Profile,
  type Shard,
  type ShardRange,
  type ShardResult,
  type SourceEncoding,
  type SourceRef,
  type StoredSource,
  type TenantId,
} from '@embedmill/jobs';
import {
  failShard,
  gather,
  readManifest,
  readShardLines,
  transcode,
  writeManifest,
  type Gathered,
  type ManifestTotals,
  type ReadShard,
  type SectionStart,
  type Spool,
} from '@embedmill/sources';
import type { ParseFile } from '@embedmill/sources';
import { analyzerOf, averageLengthOf } from '@embedmill/sparse-weighting';
import { firstModel, writeBatchLines, type BatchLinesInput } from '../batches/batch-lines.ts';
import {
  checkDataset,
  writeDatasetLines,
  type DatasetCheck,
  type DatasetRowsInput,
} from '../datasets/dataset-rows.ts';

/**
 * Everything that reads, decodes, validates or counts the content of sources. It runs in separate threads
 * (source-threads.ts), because the author of a source decides how much time and memory this takes.
 */
export interface SourceTasks {
  /** Like `transcode`; returns where the lines are stored. */
  transcode: Task<
    {
      job: JobId;
      source: StoredSource;
      encoding: SourceEncoding;
      filterable: Profile['filterable'];
      maxBytes: number;
    },
    StoredSource
  >;
  /** Like `gather`. */
  gather: Task<
    {
      job: JobId;
      list: StoredSource;
      packed: StoredSource | undefined;
      filterable: Profile['filterable'];
      maxBytes: number;
    },
    Gathered
  >;
  /** Like `writeManifest`. */
  manifest: Task<
    {
      job: JobId;
      source: SourceRef;
      filterable: Profile['filterable'];
      scope: DocumentScope;
      metadataBytes: number | undefined;
      maxFailures: MaxFailures | undefined;
      section?: SectionStart | undefined;
    },
    ManifestTotals
  >;
  /** The average number of terms per chunk, from the given texts or a sample of the job's documents; undefined without any. */
  averageLength: Task<
    {
      of: { job: JobId; source: SourceRef; collection: Collection } | { texts: string[] };
      language: Language;
      analysis: Collection['analysis'];
      chunkTokens: number | undefined;
    },
    number | undefined
  >;
  /** The lines of a shard that hold a document or a tombstone, and the number of those that hold neither. */
  shardKeys: Task<ReadShard, ShardKeys>;
  /** Like `writeBatchLines`. */
  batch: Task<BatchLinesInput, StoredSource>;
  /** Like `firstModel`. */
  batchModel: Task<{ source: StoredSource }, string | undefined>;
  /** Like `checkDataset`. */
  checkDataset: Task<DatasetRowsInput, DatasetCheck>;
  /** Like `writeDatasetLines`. */
  dataset: Task<DatasetRowsInput & { job: JobId }, StoredSource>;
  /** Like `failShard`. */
  failShard: Task<{ shard: Shard; code: ErrorCode; message: string }, ShardResult>;
}

interface Task<Input, Output> {
  input: Input;
  output: Output;
}

export interface ShardKeys {
  documents: {
    id: DocumentId;
    tenant: TenantId;
    isDeleted: boolean;
    line: number;
    offset: number;
    length: number;
  }[];
  invalid: number;
}

export type SourceTask = keyof SourceTasks;
export type InputOf<Name extends SourceTask> = SourceTasks[Name]['input'];
export type OutputOf<Name extends SourceTask> = SourceTasks[Name]['output'];

/** Shards that are sampled for an average, spread evenly over the source: some thousand documents. */
const SAMPLED_SHARDS = 8;
/** Characters sampled per text; its beginning is representative enough. */
const SAMPLED_CHARACTERS = 64 * 1024;

/** Runs a task in the thread. Errors: those of the function that it calls. */
export const SOURCE_TASKS: {
  [Name in SourceTask]: (
    spool: Spool,
    input: InputOf<Name>,
    signal: AbortSignal,
    parse: ParseFile,
  ) => Promise<OutputOf<Name>>;
} = {
  async transcode(spool, { job, source, encoding, filterable, maxBytes }, signal, parse) {
    const options = { profile: { filterable }, maxBytes, parse, signal };
    return (await transcode(spool, job, source, encoding, options)).source;
  },
  gather(spool, { job, list, packed, filterable, maxBytes }, signal, parse) {
    return gather(spool, job, { list, packed }, { profile: { filterable }, maxBytes, parse, signal });
  },
  manifest(spool, { job, source, filterable, scope, metadataBytes, maxFailures, section }, signal) {
    return writeManifest(
      spool,
      job,
      source,
      { filterable },
      {
        scope,
        section,
        documentLimits: metadataBytes === undefined ? undefined : { metadataBytes },
        // A share could only be judged at the end of the scan.
        tooManyInvalid: (invalid) => tooManyFailures(maxFailures, { failed: invalid, documents: 0 }),
        signal,
      },
    );
  },
  async averageLength(spool, { of, language, analysis, chunkTokens }) {
    const texts =
      'texts' in of
        ? of.texts.map((text) => text.slice(0, SAMPLED_CHARACTERS))
        : await sampledTexts(of.collection, { id: of.job, source: of.source }, spool);
    return averageLengthOf(texts, analyzerOf(language, analysis), chunkTokens);
  },
  async shardKeys(spool, shard) {
    const keys: ShardKeys = { documents: [], invalid: 0 };
    for await (const group of readShardLines(spool, shard)) {
      for (const read of group) {
        if (read.kind === 'invalid') keys.invalid += 1;
        if (read.kind !== 'document' && read.kind !== 'tombstone') continue;
        const isDeleted = read.kind === 'tombstone';
        const { id, tenant } = isDeleted ? read.tombstone : read.document;
        const { number: line, offset, length } = read.line;
        keys.documents.push({ id, tenant, isDeleted, line, offset, length });
      }
    }
    return keys;
  },
  batch: writeBatchLines,
  batchModel: firstModel,
  checkDataset,
  dataset: writeDatasetLines,
  failShard(spool, { shard, code, message }) {
    return failShard(spool, shard, new EmbedmillError(code, message));
  },
};

async function sampledTexts(
  collection: Collection,
  { id, source }: { id: JobId; source: SourceRef },
  spool: Spool,
): Promise<string[]> {
  const ranges: ShardRange[] = [];
  let every = 1;
  let index = 0;
  for await (const { range } of readManifest(spool, id)) {
    if (index % every === 0) ranges.push(range);
    index += 1;
    if (ranges.length < 2 * SAMPLED_SHARDS) continue;
    every *= 2;
    for (let n = ranges.length - 1; n > 0; n -= 2) ranges.splice(n, 1);
  }
  const texts: string[] = [];
  for (const range of ranges.slice(0, SAMPLED_SHARDS)) {
    const shard = { source, range, collection };
    for await (const group of readShardLines(spool, shard)) {
      for (const line of group) {
        if (line.kind !== 'document') continue;
        texts.push(spokenText(line.document).slice(0, SAMPLED_CHARACTERS));
      }
    }
  }
  return texts;
}
