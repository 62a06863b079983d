import {
  EmbedmillError,
  asEmbedmillError,
  pointId,
  type CollectionName,
  type JobId,
  type Shard,
  type ShardResult,
} from '@embedmill/jobs';
import type { Metrics, Stage } from '@embedmill/metrics';
import { failShard, type Spool } from '@embedmill/sources';
import type { DocumentPoints, VectorStore } from '@embedmill/vector-store';
import type { ServedModel } from './served-model.ts';
import { ShardReading, type PendingDocument } from './shard-reading.ts';
import { storeDocuments } from './upsert.ts';

/** What the walk works with. */
export interface PipelineParts {
  spool: Spool;
  store: VectorStore;
  metrics: Metrics<'worker'>;
  /** The model of the shard's collection, loaded and warm. */
  model: ServedModel;
}

/**
 * The walk of one shard: read → skip what is stored → chunk and tokenize → batch, infer, pool → upsert → settle.
 *
 * Every document ends in one of: stored, skipped, duplicate, failed (with its reason). Nothing counts before the
 * store acknowledged it, and walking it twice has the effect of walking it once. Errors that may pass (the store
 * is away) are thrown, so that the shard is tried again; on its last attempt, and on errors that will not pass,
 * its documents go to the failures.
 */
export async function settleShard(
  shard: Shard,
  attempt: { lastAttempt: boolean },
  parts: PipelineParts,
): Promise<ShardResult> {
  try {
    return await walk(shard, parts);
  } catch (thrown) {
    const error = asEmbedmillError(thrown);
    if (error.retryable && !attempt.lastAttempt) {
      parts.metrics.shards.add(1, { outcome: 'returned' });
      throw error;
    }
    const result = await failShard(parts.spool, shard, error);
    parts.metrics.failures.add(result.failed, { stage: 'settle', reason: error.code });
    count(result, parts.metrics);
    return result;
  }
}

async function walk(shard: Shard, { spool, store, metrics, model }: PipelineParts): Promise<ShardResult> {
  const collection = shard.collection.name as CollectionName;
  const timed = async <T>(stage: Stage, work: () => Promise<T>): Promise<T> => {
    const start = performance.now();
    try {
      return await work();
    } finally {
      metrics.stageSeconds.observe((performance.now() - start) / 1000, { stage });
    }
  };

  const reading = await timed('read', () => ShardReading.read(shard, model.revision));

  const known = await timed('lookup', () =>
    store.findDocuments(
      collection,
      reading.pending.map(({ document }) => document),
    ),
  );
  const wanted = reading.skipUnchanged(known);

  const documents = wanted.map(({ document }) => document);
  const chunked = await timed('tokenize', () => model.chunk(documents, shard.collection.profile.chunking));
  const outcomes = await timed('infer', () => model.embed(documents, chunked));

  const ready: (DocumentPoints & { pending: PendingDocument })[] = [];
  let at = 0;
  for (const [n, pending] of wanted.entries()) {
    const { chunks, message, truncated } = chunked[n] ?? { chunks: [], message: undefined, truncated: false };
    const own = outcomes.slice(at, at + chunks.length);
    at += chunks.length;
    const failure = own.find((outcome) => !outcome.ok);
    if (failure !== undefined && !failure.ok) {
      reading.fail(pending, failure.error, 'infer');
      continue;
    }
    if (truncated) reading.warn(pending, new EmbedmillError('text_truncated', message ?? 'the text was cut'));
    const { document, fingerprint } = pending;
    const points = chunks.map(({ ids, start, end }, index) => {
      reading.tokens += ids.length;
      const outcome = own[index];
      return {
        id: pointId(document.tenant, collection, document.id, index),
        dense: outcome?.ok === true ? outcome.vector : new Float32Array(),
        payload: {
          document_id: document.id,
          tenant: document.tenant,
          chunk_index: index,
          chunk_count: chunks.length,
          text: document.text.slice(start, end),
          start,
          end,
          title: document.title ?? null,
          fingerprint,
          job_id: shard.job as JobId,
          metadata: document.metadata,
        },
      };
    });
    ready.push({ tenant: document.tenant, id: document.id, points, pending });
  }

  await timed('upsert', () =>
    storeDocuments(store, collection, ready, {
      stored: ({ points }) => reading.store(points.length),
      refused: ({ pending }, error) => reading.fail(pending, error, 'upsert'),
    }),
  );

  const result = await timed('settle', () => reading.settle(spool));
  for (const { stage, code } of reading.failed) metrics.failures.add(1, { stage, reason: code });
  count(result, metrics);
  return result;
}

function count(result: ShardResult, metrics: Metrics<'worker'>): void {
  metrics.shards.add(1, { outcome: 'settled' });
  metrics.documents.add(result.stored, { outcome: 'stored' });
  metrics.documents.add(result.skipped, { outcome: 'skipped' });
  metrics.documents.add(result.failed, { outcome: 'failed' });
  metrics.documents.add(result.duplicates, { outcome: 'duplicate' });
  metrics.documentsTruncated.add(result.truncated);
  metrics.chunks.add(result.chunks);
}
