/** For tests: an API whose fake worker stores and deletes the documents of shards, in the order of sequences. */
import { hash } from 'node:crypto';
import { expect } from 'vitest';
import {
  NO_COUNTS,
  isFinished,
  pointId,
  type CollectionName,
  type Document,
  type Job,
  type JobId,
  type Shard,
  type ShardResult,
  type Tombstone,
} from '@embedmill/jobs';
import { ModelConsumer } from '@embedmill/queue';
import { readShardLines, reportOf } from '@embedmill/sources';
import { openQdrantStore, type DocumentPoints, type VectorStore } from '@embedmill/vector-store';
import { startFakeQdrant } from '@embedmill/vector-store/fake-qdrant';
import { fakeAnswer, fakeVectors, MINI } from './fake-worker.ts';
import type { ApiParts } from '../parts.ts';
import { startTestApi, type TestApi } from './test-api.ts';

/** An API with a dispatcher and such a worker, and the operations that tests need. */
export interface StoringApi {
  api: TestApi;
  /** The collection that all tests begin with. */
  dispatcher: { close(): Promise<void> };
  /** Documents with this word go to the failures while it is set. */
  poison: string | undefined;
  /** Documents with this word are said to be stored, and are not, while it is set. */
  lost: string | undefined;
  newCollection(): Promise<string>;
  submit(name: string, lines: readonly object[], query?: Record<string, string>): Promise<Job>;
  /** Submits a job that is held until the promise resolves. */
  hold(
    name: string,
    lines: readonly object[],
    until: Promise<void>,
    query?: Record<string, string>,
  ): Promise<Job>;
  /** Like `hold`, for anything submitted by this function. */
  holdBack(submit: () => Promise<Job>, until: Promise<void>): Promise<Job>;
  job(id: string): Promise<Job>;
  finished(job: Pick<Job, 'id'>): Promise<Job>;
  /** The sorted ids of the existing documents, with their tenants unless it is the default one. */
  idsIn(name: string): Promise<string[]>;
}

export const STORES: [string, () => Promise<{ store?: VectorStore; close?: () => Promise<void> }>][] = [
  ['zvec', async () => ({})],
  [
    'Qdrant (a fake one)',
    async () => {
      const fake = await startFakeQdrant();
      return { store: await openQdrantStore({ url: fake.url }), close: fake.close };
    },
  ],
];

export async function startStoringApi(
  open: (typeof STORES)[number][1],
  config: Partial<ApiParts['config']> = {},
): Promise<StoringApi> {
  const { store, close } = await open();
  const api = await startTestApi(store === undefined ? { config } : { config, store });
  api.onClose(async () => close?.());
  const dispatcher = await api.dispatch();
  const held = new Map<string, Promise<void>>();
  let collections = 0;
  const storing: StoringApi = {
    api,
    dispatcher,
    poison: undefined,
    lost: undefined,
    async newCollection() {
      const name = `c${(collections += 1)}`;
      const profile = { filterable: { year: 'integer' } };
      expect((await api.json('POST', '/api/v1/collections', { name, profile })).status).toBe(201);
      return name;
    },
    async submit(name, lines, query = {}) {
      const body = lines.map((line) => `${JSON.stringify(line)}\n`).join('');
      const response = await api.call(
        `/api/v1/collections/${name}/jobs?${new URLSearchParams(query).toString()}`,
        { method: 'POST', body, headers: { 'content-type': 'application/x-ndjson' } },
      );
      return (await response.json()) as Job;
    },
    hold: (name, lines, until, query) => storing.holdBack(() => storing.submit(name, lines, query), until),
    async holdBack(submit, until) {
      await api.json('POST', '/api/v1/queue/pause');
      const job = await submit();
      held.set(job.id, until);
      await api.json('POST', '/api/v1/queue/resume');
      return job;
    },
    job: async (id) => (await api.json('GET', `/api/v1/jobs/${id}`)).body as Job,
    async finished({ id }) {
      const isOver = async () => isFinished((await storing.job(id)).state);
      await expect.poll(isOver, { timeout: 60_000 }).toBe(true);
      return storing.job(id);
    },
    async idsIn(name) {
      const { body } = await api.json('GET', `/api/v1/collections/${name}/points`);
      return (body as { points: { id: string; tenant: string }[] }).points
        .map(({ id, tenant }) => (tenant === 'default' ? id : `${tenant}/${id}`))
        .toSorted();
    },
  };
  const worker = await ModelConsumer.open({
    redisUrl: api.redisUrl,
    shardConcurrency: 8,
    queryConcurrency: 2,
    lockMs: 5000,
    onError: () => {},
  });
  api.onClose(() => worker.close());
  worker.serve(MINI.name, {
    query: async (query) => fakeAnswer(query, MINI),
    shard: async (shard) => {
      await held.get(shard.job);
      const has = (word: string | undefined) => (document: Document) =>
        word !== undefined && document.text.includes(word);
      return storeShard(api, shard, { fails: has(storing.poison), isLost: has(storing.lost) });
    },
  });
  return storing;
}

async function storeShard(
  { parts: { store, spool } }: TestApi,
  shard: Shard,
  { fails, isLost }: { fails: (document: Document) => boolean; isLost: (document: Document) => boolean },
): Promise<ShardResult> {
  const name = shard.collection.name as CollectionName;
  const { sequence } = shard;
  const counts = { ...NO_COUNTS };
  const failures = [];
  const tombstones: Tombstone[] = [];
  for await (const group of readShardLines(spool, shard)) {
    for (const read of group) {
      counts.documents += 1;
      switch (read.kind) {
        case 'tombstone':
          tombstones.push(read.tombstone);
          break;
        case 'document': {
          if (fails(read.document)) {
            failures.push(reportOf(read.line, read.document.id, { code: 'engine_failed', message: 'bad' }));
            counts.failed += 1;
            break;
          }
          if (isLost(read.document)) {
            counts.stored += 1;
            break;
          }
          const points = pointsOf(read.document, shard);
          const [found] = await store.findDocuments(name, [points]);
          const fingerprint = points.points[0]?.payload.fingerprint;
          if (found?.state === 'stored' && found.fingerprint === fingerprint && found.decided <= sequence) {
            const { tenant, id } = points;
            const version = { tenant, id, sequence: found.sequence };
            const lost =
              found.decided < shard.rival ? await store.confirmDocuments(name, [version], sequence) : [];
            if (lost.length === 0) {
              counts.skipped += 1;
              break;
            }
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
  for (const [at, some] of Map.groupBy(tombstones, (tombstone) => tombstone.sequence ?? sequence)) {
    const overtaken = await store.deleteDocuments(name, some, at);
    counts.superseded += overtaken.length;
    counts.deleted += some.length - overtaken.length;
  }
  await spool.writeReports(shard.job as JobId, 'failures', shard.index, failures);
  return {
    index: shard.index,
    ...counts,
    chunks: counts.stored,
    tokens: 1,
  };
}

function pointsOf(document: Document, { collection, sequence, job }: Shard): DocumentPoints {
  const { id, tenant, text, metadata, source = null } = document;
  const dense = fakeVectors({ inputs: [text], role: 'document' }, MINI.dims).vectors;
  const payload = {
    document_id: id,
    tenant,
    chunk_index: 0,
    chunk_count: 1,
    text,
    start: 0,
    end: text.length,
    title: null,
    image: null,
    timestamp: null,
    job_id: job as JobId,
    sequence,
    source,
    metadata,
    fingerprint: hash('sha256', JSON.stringify(document)),
  };
  const point = { id: pointId(tenant, collection.name as CollectionName, id, 0), dense, payload };
  return { id, tenant, sequence, points: [point] };
}
