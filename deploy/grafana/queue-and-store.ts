import { RowBuilder, type Dashboard } from '@grafana/grafana-foundation-sdk/dashboard';
import { gauge, once, over, quantile, rate, rateOf, sum } from './expression.ts';
import { graph, stat } from './panels.ts';
import { dashboard } from './variables.ts';

/** Answers: is work waiting, does Redis have room, does the store keep up? */
export function queueAndStore(): Dashboard {
  return dashboard('queue-and-store', 'Queue & store', 'Depth and age of the queue, Redis, the vector store.')
    .withRow(new RowBuilder('Queue'))
    .withPanel(
      graph({
        title: 'Shards on the queue',
        description: 'By model. The number per job is bounded, so it does not show the amount of work.',
        unit: 'short',
        queries: [[once(gauge('queueShards'), ['model', 'state']), '{{model}} {{state}}']],
        runbook: 'EmbedmillQueueStuck',
      }),
    )
    .withPanel(
      graph({
        title: 'Oldest waiting shard',
        description: 'How long ago it was added, by model.',
        unit: 's',
        queries: [[once(gauge('queueOldestSeconds'), ['model']), '{{model}}']],
        thresholds: [900, 3600],
        runbook: 'EmbedmillQueueStuck',
      }),
    )
    .withPanel(
      graph({
        title: 'Backlog in tokens',
        description:
          'Estimated pending tokens of all unfinished jobs, by which worker pools are scaled. 0 while paused.',
        unit: 'short',
        queries: [[once(gauge('backlogTokens'), ['model']), '{{model}}']],
        runbook: 'EmbedmillNoProgress',
      }),
    )
    .withPanel(
      graph({
        title: 'Shards per second',
        description:
          'Processed: settled, or returned to be retried because the store, the spool or the model was unavailable.',
        unit: 'short',
        queries: [[sum(rate('shards'), ['outcome']), '{{outcome}}']],
      }),
    )
    .withPanel(
      graph({
        title: 'Dispatcher’s turn, 95th percentile',
        description:
          'One pass over a job: shards are added and results aggregated. Long turns leave workers without work.',
        unit: 's',
        queries: [[quantile(0.95, 'dispatcherTurnSeconds'), 'p95']],
        thresholds: [1, 5],
      }),
    )
    .withPanel(
      graph({
        title: 'Uploads',
        description: 'Bytes per second of completed uploads.',
        unit: 'Bps',
        queries: [[sum(rate('uploadBytes')), 'bytes']],
      }),
    )
    .withRow(new RowBuilder('Redis'))
    .withPanel(
      stat({
        title: 'Memory in use',
        description: 'The share of its maxmemory, or of its machine’s memory if that is not set.',
        unit: 'percentunit',
        queries: [[over(once(gauge('redisMemoryUsedBytes')), once(gauge('redisMemoryLimitBytes'))), 'used']],
        thresholds: [0.6, 0.8],
        runbook: 'EmbedmillRedisMemory',
      }),
    )
    .withPanel(
      stat({
        title: 'May evict jobs',
        description: '1 where maxmemory-policy is not noeviction: then jobs may vanish when memory is full.',
        unit: 'short',
        queries: [[once(gauge('redisEvicts')), 'evicts']],
        thresholds: [1, 1],
        runbook: 'EmbedmillRedisEvicts',
      }),
    )
    .withPanel(
      graph({
        title: 'Redis memory',
        description: 'Memory in use. It grows with the number of jobs, not with their size.',
        unit: 'bytes',
        queries: [[once(gauge('redisMemoryUsedBytes')), 'used']],
        runbook: 'EmbedmillRedisMemory',
      }),
    )
    .withRow(new RowBuilder('Vector store'))
    .withPanel(
      graph({
        title: 'Upsert latency',
        description:
          'The time to write one shard’s documents, including the acknowledgement and the deletion of old chunks.',
        unit: 's',
        queries: [
          [quantile(0.5, 'storeSeconds', [], { operation: 'upsert' }), 'p50'],
          [quantile(0.95, 'storeSeconds', [], { operation: 'upsert' }), 'p95'],
          [quantile(0.99, 'storeSeconds', [], { operation: 'upsert' }), 'p99'],
        ],
        thresholds: [5, 20],
        runbook: 'EmbedmillStoreUnavailable',
      }),
    )
    .withPanel(
      graph({
        title: 'Latency by operation, 95th percentile',
        description: 'Look-ups find which documents are already stored; searches come from the API.',
        unit: 's',
        queries: [[quantile(0.95, 'storeSeconds', ['operation']), '{{operation}}']],
        thresholds: [5, 20],
      }),
    )
    .withPanel(
      graph({
        title: 'Calls per second',
        description: 'Look-ups and upserts come from workers, a few per shard; searches come from the API.',
        unit: 'short',
        queries: [[sum(rateOf('count', 'storeSeconds'), ['operation']), '{{operation}}']],
      }),
    )
    .withPanel(
      graph({
        title: 'Calls by outcome',
        description: 'Unavailable calls are retried with their shard; rejected calls fail their documents.',
        unit: 'short',
        queries: [[sum(rateOf('count', 'storeSeconds'), ['outcome']), '{{outcome}}']],
        runbook: 'EmbedmillStoreUnavailable',
      }),
    )
    .withPanel(
      graph({
        title: 'Throttled requests',
        description: 'Answers of "too many requests" (429), per second.',
        unit: 'reqps',
        queries: [[sum(rate('storeThrottled')), 'throttled']],
        thresholds: [0.1, 1],
        runbook: 'EmbedmillStoreThrottled',
      }),
    )
    .withPanel(
      graph({
        title: 'Points written per second',
        description: 'Chunks whose points the store acknowledged.',
        unit: 'short',
        queries: [[sum(rate('chunks')), 'chunks']],
      }),
    )
    .build();
}
