import {
  ANALYSIS_VERSION,
  NO_COLLECTION,
  type Collection,
  type CollectionName,
  type JobId,
  type Profile,
  type SourceRef,
} from '@embedmill/jobs';
import type { ModelSummary } from '@embedmill/models';
import type { Spool } from '@embedmill/sources';
import type { VectorStore } from '@embedmill/vector-store';
import type { SourceThreads } from '../sources/source-threads.ts';

export interface MeasuringParts {
  spool: Spool;
  threads: SourceThreads;
  store: VectorStore;
  models: () => Promise<readonly ModelSummary[]>;
}

/**
 * The collection with its average length for BM25. The first job of a collection determines it from a sample of its
 * documents for all later jobs, because otherwise equal texts would get different vectors in each job. A job that writes
 * to a file has its own.
 */
export async function withAverageLength(
  collection: Collection,
  job: { id: JobId; source: SourceRef; share: string | undefined },
  { store, models, threads }: MeasuringParts,
): Promise<Collection> {
  const { bm25 } = collection.profile.sparse;
  if (bm25 === undefined || bm25.averageLength !== undefined) return collection;
  const isOwn = collection.name === NO_COLLECTION;
  const current = isOwn ? collection : await store.getCollection(collection.name as CollectionName);
  if (current === undefined || current.averageLength !== undefined) return current ?? collection;
  const averageLength = await threads.run(
    'averageLength',
    {
      of: { job: job.id, source: job.source, collection },
      language: bm25.language,
      analysis: current.analysis,
      chunkTokens: await tokensOfChunk(collection.profile, models),
    },
    { share: job.share },
  );
  if (averageLength === undefined) return current;
  if (isOwn) return { ...current, averageLength };
  // Read again, because a migration may have begun while the sample was read.
  const now = await store.getCollection(collection.name as CollectionName);
  if (now === undefined || now.averageLength !== undefined) return now ?? collection;
  const measured = { ...now, averageLength };
  await store.updateCollection(measured, now);
  return measured;
}

/** The same from texts of documents, for a new collection that is filled with stored documents. */
export async function averageLengthOfTexts(
  texts: string[],
  profile: Profile,
  { models, threads }: Pick<MeasuringParts, 'models' | 'threads'>,
): Promise<number | undefined> {
  const { bm25 } = profile.sparse;
  if (bm25 === undefined) return undefined;
  const chunkTokens = await tokensOfChunk(profile, models);
  const { language } = bm25;
  const input = { of: { texts }, language, analysis: ANALYSIS_VERSION, chunkTokens };
  return threads.run('averageLength', input, { share: undefined });
}

/** How far a chunk is filled on average if its end is chosen by content. */
const FILLED = 0.7;

/** The approximate tokens of a chunk of a long text; undefined if a document is one chunk. */
async function tokensOfChunk(
  { chunking, model }: Profile,
  models: MeasuringParts['models'],
): Promise<number | undefined> {
  if (chunking.mode === 'document') return undefined;
  const size = chunking.size ?? (await models()).find(({ name }) => name === model)?.maxTokens;
  if (size === undefined || chunking.boundary !== 'content') return size;
  const overlap = Math.min(chunking.overlap, size / 2);
  return overlap + FILLED * (size - overlap);
}
