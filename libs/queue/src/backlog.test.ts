import fc from 'fast-check';
import { expect, test } from 'vitest';
import { NO_PROGRESS, profileSchema, type Collection } from '@embedmill/jobs';
import {
  backlogOf,
  backlogOfModel,
  QUERY_TOKENS,
  TOKENS_PER_BYTE,
  workLeft,
  type UnfinishedJob,
} from './backlog.ts';

const collection = (model: string): Collection => ({
  name: 'test',
  profile: { ...profileSchema.parse({}), model },
  dims: 2,
  vector: 'dense',
  createdAt: new Date(0).toISOString(),
});

const SHARD_BYTES = 200_000;
const SHARD_DOCUMENTS = 100;

/** A running job of equal shards, with `rate` tokens per byte. */
function running(shards: number, dispatched: number, done: number, rate: number, model = 'm'): UnfinishedJob {
  return {
    state: 'running',
    collection: collection(model),
    source: { kind: 'file', uri: 'file:///x', size: shards * SHARD_BYTES, modified: 0 },
    fetched: null,
    cursor: { index: dispatched, offset: 0, bytes: dispatched * SHARD_BYTES },
    progress: {
      ...NO_PROGRESS,
      documents: shards * SHARD_DOCUMENTS,
      done: done * SHARD_DOCUMENTS,
      shards,
      shardsDone: done,
      tokens: Math.round(done * SHARD_BYTES * rate),
    },
  };
}

const jobs = fc
  .record({
    shards: fc.integer({ min: 1, max: 10_000 }),
    dispatched: fc.double({ min: 0, max: 1, noNaN: true }),
    done: fc.double({ min: 0, max: 1, noNaN: true }),
    rate: fc.double({ min: 0, max: 1, noNaN: true }),
    model: fc.constantFrom('a', 'b', 'c'),
  })
  .map(({ shards, dispatched, done, rate, model }) => {
    const out = Math.round(shards * dispatched);
    return running(shards, out, Math.floor(out * done), rate, model);
  });

test('the remaining work is an integer number of tokens, and never 0 while a document is unsettled', () => {
  fc.assert(
    fc.property(jobs, (job) => {
      const { tokens, documents, shards } = workLeft(job);
      for (const count of [tokens, documents, shards]) {
        expect(Number.isSafeInteger(count)).toBe(true);
        expect(count).toBeGreaterThanOrEqual(0);
      }
      expect(documents).toBe(job.progress.documents - job.progress.done);
      expect(tokens >= documents).toBe(true);
      expect(tokens === 0).toBe(documents === 0);
    }),
  );
});

test('a job with equal shards is estimated better the further it is', () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 2, max: 1000 }),
      fc.double({ min: 0.05, max: 1, noNaN: true }),
      (shards, rate) => {
        const done = shards - 1;
        const { tokens } = workLeft(running(shards, shards, done, rate));
        const truth = SHARD_BYTES * rate;
        // The constant weighs slightly more than one of the settled shards.
        expect(Math.abs(tokens - truth)).toBeLessThanOrEqual(
          (2 * SHARD_BYTES * Math.abs(rate - TOKENS_PER_BYTE)) / done + 101,
        );
      },
    ),
  );
});

test('dispatching shards changes nothing of what is left, settling them does', () => {
  fc.assert(
    fc.property(fc.integer({ min: 2, max: 500 }), fc.nat({ max: 100 }), (shards, some) => {
      const done = Math.min(some, shards - 1);
      const one = workLeft(running(shards, done, done, 0.2));
      const all = workLeft(running(shards, shards, done, 0.2));
      expect(Math.abs(all.tokens - one.tokens)).toBeLessThanOrEqual(1);
      expect(workLeft(running(shards, shards, done + 1, 0.2)).documents).toBe(
        all.documents - SHARD_DOCUMENTS,
      );
    }),
  );
});

test('a job that has skipped all it has seen still counts for what it has not seen', () => {
  const { tokens } = workLeft(running(100, 60, 50, 0));
  expect(tokens).toBeGreaterThanOrEqual(5000);
  expect(tokens).toBeLessThan(50 * SHARD_BYTES * TOKENS_PER_BYTE);
});

test('a job that waits for a dispatcher counts by its size, and one of unknown size as a shard', () => {
  const queued: UnfinishedJob = {
    ...running(10, 0, 0, 0),
    state: 'queued',
    progress: NO_PROGRESS,
    cursor: { index: 0, offset: 0, bytes: 0 },
  };
  expect(workLeft(queued)).toEqual({
    tokens: 10 * SHARD_BYTES * TOKENS_PER_BYTE,
    documents: 0,
    shards: 0,
  });
  const inline = workLeft({ ...queued, source: { kind: 'inline', lines: ['é'.repeat(49), 'x'] } });
  expect(inline.tokens).toBe(Math.ceil((98 + 1 + 1 + 1) * TOKENS_PER_BYTE));
  const url = workLeft({ ...queued, source: { kind: 'url', url: 'https://example.com/x' } });
  expect(url.tokens).toBe(256 * 1024 * TOKENS_PER_BYTE);
});

test('a record of an earlier version, which does not say how many bytes were dispatched, counts much the same', () => {
  const job = running(100, 60, 50, 0.3);
  const earlier = { ...job, cursor: { ...job.cursor, bytes: undefined } };
  expect(workLeft(earlier).tokens).toBe(workLeft(job).tokens);
});

test('finished jobs count for nothing', () => {
  for (const state of ['completed', 'cancelled', 'failed'] as const)
    expect(workLeft({ ...running(10, 5, 2, 0.3), state })).toEqual({ tokens: 0, documents: 0, shards: 0 });
});

test('the backlog is the sum over models; paused, only queries are tokens', () => {
  const queries = new Map([
    ['a', 0],
    ['idle', 0],
    ['asked', 3],
  ]);
  fc.assert(
    fc.property(fc.array(jobs, { maxLength: 20 }), fc.boolean(), (some, paused) => {
      const backlog = backlogOf(
        some.map((record) => ({ record, weight: 1 })),
        queries,
        paused,
      );
      const left = some.map(workLeft);
      const sum = (part: 'tokens' | 'documents') => left.reduce((total, work) => total + work[part], 0);
      expect(backlog.tokens).toBe((paused ? 0 : sum('tokens')) + 3 * QUERY_TOKENS);
      expect(backlog.documents).toBe(sum('documents'));
      expect(backlog.tokens).toBe(backlog.models.reduce((total, { tokens }) => total + tokens, 0));
      expect(backlog.models.map(({ model }) => model)).toEqual(
        expect.arrayContaining(['a', 'asked', 'idle']),
      );
      expect(backlogOfModel(backlog, 'asked').tokens).toBe(3 * QUERY_TOKENS);
      expect(backlogOfModel(backlog, 'never heard of')).toEqual({
        tokens: 0,
        documents: 0,
        shards: 0,
        paused,
        models: [{ model: 'never heard of', tokens: 0, documents: 0, shards: 0 }],
      });
    }),
  );
});

test('a sampled job stands for as many as its weight', () => {
  const record = running(10, 0, 0, 0);
  const one = backlogOf([{ record, weight: 1 }], new Map(), false);
  const many = backlogOf([{ record, weight: 2.5 }], new Map(), false);
  expect(many.tokens).toBe(Math.ceil(2.5 * one.tokens));
  expect(many.shards).toBe(25);
});
