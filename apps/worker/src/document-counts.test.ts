import type { Shard, ShardResult } from '@embedmill/jobs';
import { createMetrics } from '@embedmill/metrics';
import { expect, test } from 'vitest';
import { countSettled, startCounting } from './document-counts.ts';

const shard = { collection: { profile: { model: 'one' } } } as Shard;
const RESULT = { skipped: 0, failed: 0, duplicates: 0, superseded: 0, deleted: 0, truncated: 0, reused: 0 };

test('documents are counted by the model of their shard, and of a model that is served, from 0', async () => {
  const metrics = createMetrics('worker');
  startCounting('one', metrics);
  startCounting('two', metrics);
  countSettled(shard, { ...RESULT, stored: 3, chunks: 4 } as ShardResult, metrics);
  const { body } = await metrics.render();
  expect(body).toContain('embedmill_documents_total{model="one",outcome="stored"} 3');
  expect(body).toContain('embedmill_documents_total{model="one",outcome="failed"} 0');
  expect(body).toContain('embedmill_documents_total{model="two",outcome="stored"} 0');
});

test('documents that a later submission has decided are counted as superseded', async () => {
  const metrics = createMetrics('worker');
  startCounting('one', metrics);
  const superseded = async () =>
    /embedmill_documents_total\{model="one",outcome="superseded"\} (\d+)/.exec(
      (await metrics.render()).body,
    )?.[1];
  expect(await superseded()).toBe('0');
  for (const count of [2, 0, 3])
    countSettled(shard, { ...RESULT, stored: 1, superseded: count, chunks: 1 } as ShardResult, metrics);
  expect(await superseded()).toBe('5');
});
