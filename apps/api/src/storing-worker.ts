/** A fake of a worker that stores and deletes what its shards' lines say, in the order of sequences; test-only. */
import { hash } from 'node:crypto';
import {
  pointId,
  type CollectionName,
  type Document,
  type JobId,
  type Shard,
  type ShardResult,
} from '@embedmill/jobs';
import { ModelConsumer } from '@embedmill/queue';
import { readShardLines, reportOf } from '@embedmill/sources';
import type { DocumentKey, DocumentPoints } from '@embedmill/vector-store';
import { fakeAnswer, fakeVectors, MINI } from './fake-worker.ts';
import type { TestApi } from './test-api.ts';

export interface StoringOptions {
  /** Before anything of the shard is read. */
  before?: (shard: Shard) => Promise<void>;
  /** Whether the document goes to the failures. */
  fails?: (document: Document) => boolean;
}

export async function startStoringWorker(api: TestApi, options: StoringOptions = {}): Promise<void> {
  const worker = await ModelConsumer.open({
    ...{ redisUrl: api.redisUrl, shardConcurrency: 8, queryConcurrency: 2, lockMs: 5000, onError: () => {} },
  });
  api.onClose(() => worker.close());
  worker.serve(MINI.name, {
    query: async (query) => fakeAnswer(query, MINI),
    shard: async (shard) => {
      await options.before?.(shard);
      return storeShard(api, shard, options.fails ?? (() => false));
    },
  });
}

async function storeShard(
  { parts: { store, spool } }: TestApi,
  shard: Shard,
  fails: (document: Document) => boolean,
): Promise<ShardResult> {
  const name = shard.collection.name as CollectionName;
  const { sequence } = shard;
  const counts = { documents: 0, stored: 0, skipped: 0, deleted: 0, superseded: 0, failed: 0, duplicates: 0 };
  const failures = [];
  const tombstones: DocumentKey[] = [];
  for await (const group of readShardLines(spool, shard)) {
    for (const read of group) {
      counts.documents += 1;
      switch (read.kind) {
        case 'tombstone':
          tombstones.push({ tenant: read.tombstone.tenant, id: read.tombstone.id });
          break;
        case 'document': {
          if (fails(read.document)) {
            failures.push(reportOf(read.line, read.document.id, { code: 'engine_failed', message: 'bad' }));
            counts.failed += 1;
            break;
          }
          const points = pointsOf(read.document, shard);
          const [found] = await store.findDocuments(name, [points]);
          const fingerprint = points.points[0]?.payload.fingerprint;
          if (found?.state === 'stored' && found.fingerprint === fingerprint && found.decided <= sequence) {
            const { tenant, id } = points;
            if (found.decided < shard.rival)
              await store.confirmDocuments(name, [{ tenant, id, sequence: found.sequence }], sequence);
            counts.skipped += 1;
            break;
          }
          const overtaken = await store.replaceDocuments(name, [points]);
          counts[overtaken.length > 0 ? 'superseded' : 'stored'] += 1;
          break;
        }
        case 'invalid':
          failures.push(read.report);
          counts.failed += 1;
          break;
        case 'duplicate':
          counts.duplicates += 1;
      }
    }
  }
  const overtaken = tombstones.length === 0 ? [] : await store.deleteDocuments(name, tombstones, sequence);
  counts.superseded += overtaken.length;
  counts.deleted = tombstones.length - overtaken.length;
  await spool.writeReports(shard.job as JobId, 'failures', shard.index, failures);
  return { index: shard.index, ...counts, reused: 0, truncated: 0, chunks: counts.stored, tokens: 1 };
}

function pointsOf(document: Document, { collection, sequence, job }: Shard): DocumentPoints {
  const { id, tenant, text, metadata } = document;
  const dense = fakeVectors({ inputs: [text], role: 'document' }, MINI.dims).vectors;
  const payload = {
    ...{ document_id: id, tenant, chunk_index: 0, chunk_count: 1, text, start: 0, end: text.length },
    ...{ title: null, image: null, timestamp: null, job_id: job as JobId, sequence, metadata },
    fingerprint: hash('sha256', JSON.stringify(document)),
  };
  const point = { id: pointId(tenant, collection.name as CollectionName, id, 0), dense, payload };
  return { id, tenant, sequence, points: [point] };
}
