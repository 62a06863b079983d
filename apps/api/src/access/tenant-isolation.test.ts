import { Readable } from 'node:stream';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import fc from 'fast-check';
import {
  NO_COUNTS,
  isFinished,
  ANALYSIS_VERSION,
  pointId,
  type CollectionName,
  type DocumentId,
  type Job,
  type JobId,
  type Shard,
  type ShardResult,
  type TenantId,
} from '@embedmill/jobs';
import { ModelConsumer } from '@embedmill/queue';
import { readShardLines } from '@embedmill/sources';
import { analyzerOf, bm25Query } from '@embedmill/sparse-weighting';
import { openQdrantStore, type DocumentPoints, type VectorStore } from '@embedmill/vector-store';
import { startFakeQdrant } from '@embedmill/vector-store/fake-qdrant';
import { fakeAnswer, fakeVectors, MINI } from '../testing/fake-worker.ts';
import { startTestApi, type TestApi } from '../testing/test-api.ts';
import type { Access } from './principal.ts';
import { testKeys } from './test-keys.ts';
import {
  exampleShapes,
  WITHOUT_EXAMPLE,
  OTHER,
  OTHER_IDS,
  OWN,
  requestShapes,
  SHARED_IDS,
  type RequestShape,
} from './tenant-shapes.ts';

/** Occurs in all data of the other tenant, and in no request. */
const MARKER = 'zebrafinch';
const RUNS = 2500;
const DOCS = 'docs' as CollectionName;

/** This route never ends by itself; overview.test.ts tests it. */
const ENDLESS = '/api/v1/overview/events';

const isTenants = (access: Access | undefined): boolean => access === 'submit' || access === 'search';

describe.each<[string, () => Promise<{ store?: VectorStore; close?: () => Promise<void> }>]>([
  ['zvec', async () => ({})],
  [
    'Qdrant (a fake one)',
    async () => {
      const fake = await startFakeQdrant();
      return { store: await openQdrantStore({ url: fake.url }), close: fake.close };
    },
  ],
])('on %s', (_name, open) => {
  let api: TestApi;
  const routes: { method: string; url: string; access: Access | undefined }[] = [];
  const keys: Record<'own' | 'other' | 'admin', string> = {} as never;

  beforeAll(async () => {
    const file = await testKeys();
    const scopes: ('submit' | 'search')[] = ['submit', 'search'];
    keys.own = (await file.add({ name: 'own', scopes, tenant: OWN as TenantId })).authorization;
    keys.other = (await file.add({ name: 'other', scopes, tenant: OTHER as TenantId })).authorization;
    keys.admin = (await file.add({ name: 'admin', scopes: ['admin'] })).authorization;
    const { store, close } = await open();
    api = await startTestApi({
      config: { access: file.access },
      ...(store && { store }),
      onRoute: ({ method, url, config }) => {
        const { access } = (config ?? {}) as { access?: Access };
        if (url === ENDLESS) return;
        for (const one of [method].flat()) routes.push({ method: one, url, access });
      },
    });
    api.onClose(async () => close?.());
    api.onClose(() => file.remove());
    await api.dispatch();
    const worker = await ModelConsumer.open({
      redisUrl: api.redisUrl,
      shardConcurrency: 2,
      queryConcurrency: 8,
      lockMs: 5000,
      onError: () => {},
    });
    api.onClose(() => worker.close());
    worker.serve(MINI.name, { query: async (query) => fakeAnswer(query, MINI), shard: storeShard });
    const filterable = { tag: 'keyword', year: 'integer', tenant: 'keyword' };
    const sparse = { bm25: { averageLength: 4 } };
    for (const name of ['docs', 'others'])
      await as('admin', 'POST', '/api/v1/collections', { name, profile: { filterable, sparse } });
    await api.parts.store.replaceDocuments(DOCS, [
      ...[...SHARED_IDS, 'alpha-0'].map((id) => documentOf(id, OWN, 'shared words')),
      ...[...SHARED_IDS, ...OTHER_IDS].map((id) => documentOf(id, OTHER, `shared words ${MARKER}`)),
    ]);
  });
  afterAll(() => api.close());

  const as = (who: keyof typeof keys, method: string, path: string, body?: unknown) =>
    api.json(method, path, body, { authorization: keys[who] });

  /** A fake worker: it stores the shard's lines with the vectors of their texts, or writes them to the file. */
  async function storeShard(shard: Shard): Promise<ShardResult> {
    const counts = { ...NO_COUNTS };
    const failures = [];
    const rows: string[] = [];
    const isToFile = shard.purpose === 'embed';
    for await (const group of readShardLines(api.parts.spool, shard)) {
      for (const line of group) {
        counts.documents += 1;
        switch (line.kind) {
          case 'document': {
            const { id, tenant, text } = line.document;
            const name = shard.collection.name as CollectionName;
            if (isToFile) rows.push(`${JSON.stringify(line.document)}\n`);
            else await api.parts.store.replaceDocuments(name, [documentOf(id, tenant, text, name)]);
            counts.stored += 1;
            break;
          }
          case 'tombstone': {
            const { id, tenant } = line.tombstone;
            const name = shard.collection.name as CollectionName;
            await api.parts.store.deleteDocuments(name, [{ id, tenant }], shard.sequence);
            counts.deleted += 1;
            break;
          }
          case 'invalid':
            failures.push(line.report);
            counts.failed += 1;
            break;
          case 'duplicate':
            counts.duplicates += 1;
        }
      }
    }
    if (isToFile)
      await api.parts.spool.writePart(shard.job as JobId, shard.index, Readable.from([rows.join('')]));
    await api.parts.spool.writeReports(shard.job as JobId, 'failures', shard.index, failures);
    return {
      index: shard.index,
      ...counts,
      chunks: counts.stored,
      tokens: 1,
    };
  }

  async function jobOf(who: 'own' | 'other', ndjson: string, idempotencyKey: string): Promise<Job> {
    const headers = { authorization: keys[who], 'idempotency-key': idempotencyKey };
    const response = await api.submit('docs', ndjson, headers);
    expect(response.status).toBe(202);
    const { id } = (await response.json()) as Job;
    const job = async () => (await as(who, 'GET', `/api/v1/jobs/${id}`)).body as Job;
    await expect.poll(async () => isFinished((await job()).state), { timeout: 60_000 }).toBe(true);
    return job();
  }

  /** All data of the other tenant in the store and the queue. */
  async function othersThings() {
    const points = await api.parts.store.scanPoints(DOCS, { limit: 1000, tenant: OTHER as TenantId });
    const jobs = (await api.parts.queue.listJobs({ limit: 10_000 })).jobs.filter(
      ({ tenant }) => tenant !== OWN,
    );
    const collections = await api.parts.store.listCollections();
    return { points, jobs: jobs.map((job) => ({ ...job, seconds: 0 })), collections };
  }

  test('no request with a tenant’s key reads or changes another tenant’s data, whatever its shape', async () => {
    const foreign = `{"id":"d0","text":"x","tenant":"${OWN}"}\n`;
    const others = await jobOf(
      'other',
      `{"id":"d9","text":"${MARKER}"}\n{"id":"${MARKER}"}\n${foreign}`,
      'k1',
    );
    expect(others).toMatchObject({ state: 'completed', tenant: OTHER, stored: 1, failed: 2 });
    const own = await jobOf('own', '{"id":"d8","text":"own"}\n{"id":"bad"}\n', 'k2');
    const failures = await api.call(`/api/v1/jobs/${others.id}/failures`, {
      headers: { authorization: keys.other },
    });
    expect(await failures.text()).toContain(MARKER);
    const secret = await jobOf('other', `{"id":"d9","text":"${MARKER}"}\n`, 'k4');
    const before = await othersThings();
    expect(JSON.stringify(before.points)).toContain(MARKER);

    const shapes = requestShapes({
      routes,
      jobs: { own: own.id, others: others.id },
      points: before.points.map(({ id }) => id),
      idempotencyKeys: ['k1', 'k2'],
    });
    const sent = async (shape: RequestShape) => {
      const { method, path, headers, body } = shape;
      const isText = typeof body === 'string';
      const type = isText ? 'application/x-ndjson' : 'application/json';
      const response = await api.call(path, {
        method,
        signal: AbortSignal.timeout(10_000),
        headers: { authorization: keys.own, ...(body !== undefined && { 'content-type': type }), ...headers },
        ...(body !== undefined && { body: isText ? body : JSON.stringify(body) }),
      });
      const text = await response.text();
      return { status: response.status, text: text + JSON.stringify([...response.headers]) };
    };
    const takesNothing = (text: string) => {
      expect(text).not.toContain(MARKER);
      expect(text).not.toContain(secret.id);
    };
    // A key that is refused everywhere would prove nothing: each of these routes returns its own data.
    const spent = await jobOf('own', '{"id":"d7","text":"own"}\n', 'k5');
    const examples = exampleShapes({ own: own.id, spent: spent.id });
    const tenants = routes.filter(({ access, method }) => method !== 'HEAD' && isTenants(access));
    const shown = new Set([...examples.map(([route]) => route), ...WITHOUT_EXAMPLE]);
    const unshown = tenants.filter(({ method, url }) => !shown.has(`${method} ${url}`));
    expect(unshown).toEqual([]);
    for (const { method, url } of tenants.filter((route) => route.url.includes('/jobs/:id'))) {
      const path = url.replace(':id', others.id);
      const body = method === 'PATCH' ? { priority: 'urgent' } : undefined;
      const { status, text } = await sent({ method, path, headers: {}, body });
      expect(status, `${method} ${url}: ${text}`).toBe(404);
    }
    for (const [route, shape] of examples) {
      const { status, text } = await sent(shape);
      expect(`${shape.method} ${patternOf(shape.path, shape.method)}`).toBe(route);
      expect(status, `${route}: ${text}`).toBeLessThan(300);
      takesNothing(text);
    }
    await fc.assert(
      fc.asyncProperty(shapes, async (shape) => {
        const { status, text } = await sent(shape);
        takesNothing(text);
        expect(status).toBeLessThan(500);
      }),
      { numRuns: RUNS },
    );

    const unfinished = async () =>
      (await api.parts.queue.listJobs({ limit: 10_000 })).jobs.filter(({ state }) => !isFinished(state));
    await expect.poll(unfinished, { timeout: 60_000 }).toEqual([]);
    expect(await othersThings()).toEqual(before);
  });

  function patternOf(path: string, method: string): string {
    const asked = path.split('?', 1)[0]?.split('/') ?? [];
    const found = routes.find(({ method: its, url }) => {
      const parts = url.split('/');
      const fits = (part: string, n: number) => part.startsWith(':') || part === asked[n];
      return its === method && parts.length === asked.length && parts.every(fits);
    });
    return found?.url ?? path;
  }

  test('a tenant’s key counts, lists and names its own only; the other’s tenant is refused by name', async () => {
    const { body: view } = await as('own', 'GET', '/api/v1/collections/docs');
    const own = await api.parts.store.countPoints(DOCS, OWN as TenantId);
    expect(own).toBeLessThan(await api.parts.store.countPoints(DOCS));
    expect(view).toMatchObject({ points: own });
    const asking = { query: 'shared words', tenant: OTHER };
    expect(await as('own', 'POST', '/api/v1/collections/docs/search', asking)).toMatchObject({
      status: 403,
      body: { code: 'forbidden', detail: expect.stringContaining('"beta"') },
    });
    const found = await as('other', 'GET', '/api/v1/collections/docs/documents/d0');
    expect(found).toMatchObject({ status: 200, body: { tenant: OTHER } });
    expect(JSON.stringify(found.body)).toContain(MARKER);
  });

  test('what an admin tries again of a tenant’s job stays the tenant’s', async () => {
    const job = await jobOf('own', '{"id":"bad"}\n{"id":"worse","tenant":"beta","text":"x"}\n', 'k3');
    const { status, body } = await as('admin', 'POST', `/api/v1/jobs/${job.id}/retry`);
    expect(status).toBe(202);
    expect(body).toMatchObject({ tenant: OWN, retryOf: job.id });
  });
});

function documentOf(id: string, tenant: string, text: string, collection = DOCS): DocumentPoints {
  const key = { id: id as DocumentId, tenant: tenant as TenantId };
  return {
    ...key,
    sequence: 1,
    points: [
      {
        id: pointId(key.tenant, collection, key.id, 0),
        dense: fakeVectors({ inputs: [text], role: 'document' }, MINI.dims).vectors,
        sparse: { bm25: bm25Query('shared words', analyzerOf('english', ANALYSIS_VERSION)) },
        payload: {
          document_id: key.id,
          tenant: key.tenant,
          chunk_index: 0,
          chunk_count: 1,
          text,
          start: 0,
          end: text.length,
          title: text,
          image: null,
          timestamp: null,
          fingerprint: `${tenant} ${id}`,
          job_id: 'job_setup' as JobId,
          sequence: 1,
          metadata: { tag: 'shared', year: 2020, tenant, note: text },
        },
      },
    ],
  };
}
