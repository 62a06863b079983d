import type { Shard, ShardResult } from '@embedmill/jobs';
import { METRICS, type Metrics } from '@embedmill/metrics';

/** Initialises the counts of a model that is served from now on, so that they are 0 rather than absent. */
export function startCounting(model: string, { documents }: Metrics<'worker'>): void {
  for (const outcome of METRICS.documents.labels.outcome) documents.add(0, { model, outcome });
}

/** Counts the outcomes of a shard's documents, by the model of its queue. */
export function countSettled({ collection }: Shard, result: ShardResult, metrics: Metrics<'worker'>): void {
  const { model } = collection.profile;
  metrics.shards.add(1, { outcome: 'settled' });
  metrics.documents.add(result.stored, { model, outcome: 'stored' });
  metrics.documents.add(result.skipped, { model, outcome: 'skipped' });
  metrics.documents.add(result.failed, { model, outcome: 'failed' });
  metrics.documents.add(result.duplicates, { model, outcome: 'duplicate' });
  metrics.documents.add(result.superseded, { model, outcome: 'superseded' });
  metrics.documents.add(result.deleted, { model, outcome: 'deleted' });
  metrics.documentsTruncated.add(result.truncated);
  metrics.chunks.add(result.chunks);
  metrics.chunksReused.add(result.reused);
}
