import {
  spokenText,
  type Chunking,
  type Collection,
  type CollectionName,
  type JobId,
  type ShardRange,
  type SourceRef,
} from '@embedmill/jobs';
import type { ModelSummary } from '@embedmill/models';
import { readManifest, readShardLines, type Spool } from '@embedmill/sources';
import { analyzerOf, averageLengthOf } from '@embedmill/sparse-weighting';
import type { VectorStore } from '@embedmill/vector-store';

/** Shards that are looked at, evenly over the source: some thousand documents. */
const SAMPLED_SHARDS = 8;

export interface MeasuringParts {
  spool: Spool;
  store: VectorStore;
  models: () => Promise<readonly ModelSummary[]>;
}

/**
 * The collection with the average length that BM25 weighs by. The first job of a collection settles it, from a sample of
 * its documents, for all that follow: else equal texts would get vectors of their own from each job.
 */
export async function withAverageLength(
  collection: Collection,
  job: { id: JobId; source: SourceRef },
  { store, models, spool }: MeasuringParts,
): Promise<Collection> {
  const { bm25 } = collection.profile.sparse;
  if (bm25 === undefined || bm25.averageLength !== undefined) return collection;
  const current = await store.getCollection(collection.name as CollectionName);
  if (current === undefined || current.averageLength !== undefined) return current ?? collection;
  const model = (await models()).find(({ name }) => name === collection.profile.model);
  const { chunking } = collection.profile;
  const chunkTokens = tokensOfChunk(chunking, model?.maxTokens);
  const texts = await sampledTexts(collection, job, spool);
  const averageLength = averageLengthOf(texts, analyzerOf(bm25.language, current.analysis), chunkTokens);
  if (averageLength === undefined) return current;
  // Looked at again: reading the sample took a while, in which a migration may have begun.
  const now = await store.getCollection(collection.name as CollectionName);
  if (now === undefined || now.averageLength !== undefined) return now ?? collection;
  const measured = { ...now, averageLength };
  await store.updateCollection(measured, now);
  return measured;
}

/** What a chunk's own room is filled to on average, where its end is chosen by content. */
const FILLED = 0.7;

/** About how many tokens a chunk of a long text has; undefined where a document is one chunk. */
function tokensOfChunk(chunking: Chunking, maxTokens: number | undefined): number | undefined {
  if (chunking.mode === 'document') return undefined;
  const size = chunking.size ?? maxTokens;
  if (size === undefined || chunking.boundary !== 'content') return size;
  const overlap = Math.min(chunking.overlap, size / 2);
  return overlap + FILLED * (size - overlap);
}

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
        texts.push(spokenText(line.document));
      }
    }
  }
  return texts;
}
