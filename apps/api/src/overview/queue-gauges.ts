import type { Metrics } from '@embedmill/metrics';
import type { ApiParts } from '../parts.ts';

/**
 * Reads the queue at each scrape. If a value cannot be read, its gauge is left out, so that no stale value is served.
 */
export function serveQueueGauges(queue: ApiParts['queue'], metrics: Metrics<'api'>): void {
  metrics.beforeScrape(async () => {
    const gauges = [metrics.queueShards, metrics.queueOldestSeconds, metrics.unfinishedJobs];
    const depth = await queue.depth().finally(() => gauges.forEach((gauge) => gauge.clear()));
    for (const { model, waiting, active, oldestSeconds } of depth.models) {
      metrics.queueShards.set(waiting, { model, state: 'waiting' });
      metrics.queueShards.set(active, { model, state: 'active' });
      metrics.queueOldestSeconds.set(oldestSeconds, { model });
    }
    metrics.unfinishedJobs.set(depth.jobs.waiting, { state: 'waiting' });
    metrics.unfinishedJobs.set(depth.jobs.active, { state: 'active' });
  });

  metrics.beforeScrape(async () => {
    const gauges = [metrics.backlogTokens, metrics.backlogDocuments, metrics.queuePaused];
    const { paused, models } = await queue.backlog().finally(() => gauges.forEach((gauge) => gauge.clear()));
    metrics.queuePaused.set(paused ? 1 : 0);
    for (const { model, tokens, documents } of models) {
      metrics.backlogTokens.set(tokens, { model });
      metrics.backlogDocuments.set(documents, { model });
    }
  });

  metrics.beforeScrape(async () => {
    const gauges = [metrics.redisMemoryUsedBytes, metrics.redisMemoryLimitBytes, metrics.redisEvicts];
    const memory = await queue.memory().finally(() => gauges.forEach((gauge) => gauge.clear()));
    if (memory === undefined) return;
    metrics.redisMemoryUsedBytes.set(memory.usedBytes);
    if (memory.limitBytes !== undefined) metrics.redisMemoryLimitBytes.set(memory.limitBytes);
    metrics.redisEvicts.set(memory.evicts ? 1 : 0);
  });
}
