/**
 * `npm run bench -- search`: how long the embedded store searches for the 10 nearest of very many points: without a
 * filter, with filters that keep 1 % and 0.01 %, and while documents are written; and how many of the 10 nearest it
 * finds. With QDRANT_URL, it measures that server. `--points 100000,300000 --storage float32,int8 --dims 384 --queries
 * 100`.
 *
 * Vectors are random points in a space of 32 dimensions, rotated into the full space, with noise: like vectors of
 * texts, near ones are near in few directions. The exact nearest neighbours are computed here.
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import {
  pointId,
  profileSchema,
  type Collection,
  type CollectionName,
  type DocumentId,
  type Filter,
  type JobId,
  type TenantId,
} from '@embedmill/jobs';
import {
  openQdrantStore,
  openZvecStore,
  type DocumentPoints,
  type VectorStore,
} from '@embedmill/vector-store';
import { randomNumbers } from '../libs/tokenization/src/fake-texts.ts';

const { values } = parseArgs({
  options: {
    points: { type: 'string', default: '100000,300000' },
    storage: { type: 'string', default: 'float32,int8' },
    dims: { type: 'string', default: '384' },
    queries: { type: 'string', default: '100' },
  },
});
const sizes = values.points.split(',').map(Number);
const storages = values.storage.split(',');
const dims = Number(values.dims);
const queries = Number(values.queries);

const LATENT = 32;
const NOISE = 0.3;
const NEAREST = 10;
const BATCH = 1000;
const TENANT = 'default' as TenantId;
/** A document's `part` is its number modulo this; filters keep documents of a few parts. */
const PARTS = 10_000;

const RESOLUTION = 2 ** 30;
const integers = randomNumbers(7);
/** From 0 to 1, exclusive. */
const random = (): number => integers(RESOLUTION) / RESOLUTION;
/** From a normal distribution (Box and Muller 1958). */
const normal = (): number => Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random());
const axes = Array.from({ length: LATENT }, () => Float32Array.from({ length: dims }, normal));

const questions = Array.from({ length: queries }, vector);
for (const size of sizes) {
  const vectors = Array.from({ length: size }, vector);
  const nearest = questions.map((question) => new Set(nearestTo(question, vectors)));
  for (const storage of storages) {
    const url = process.env['QDRANT_URL'];
    const folder = await mkdtemp(join(tmpdir(), 'embedmill-bench-search-'));
    const store = url === undefined ? await openZvecStore(folder) : await openQdrantStore({ url });
    try {
      await measure(store, storage, vectors, nearest);
    } finally {
      await store.close();
      await rm(folder, { recursive: true, force: true });
    }
  }
}

async function measure(
  store: VectorStore,
  storage: string,
  vectors: readonly Float32Array[],
  nearest: readonly ReadonlySet<number>[],
): Promise<void> {
  const name = `bench-search-${process.pid}` as CollectionName;
  const profile = profileSchema.parse({ storage, filterable: { part: 'integer' } });
  const createdAt = new Date().toISOString();
  const collection: Collection = { name, dims, vector: 'dense', createdAt, profile };
  await store.createCollection(collection);
  try {
    const write = (from: number, some: readonly Float32Array[]) =>
      store.replaceDocuments(
        name,
        some.map((one, n) => documentOf(name, from + n, one)),
        collection,
      );
    const began = performance.now();
    for (let from = 0; from < vectors.length; from += BATCH)
      await write(from, vectors.slice(from, from + BATCH));
    const rate = Math.round((vectors.length / (performance.now() - began)) * 1000);
    let found = 0;
    const ask = async (question: Float32Array, n: number, filter?: Filter): Promise<void> => {
      const vector = { kind: 'dense', values: question } as const;
      const hits = await store.search(name, { vector, limit: NEAREST, offset: 0, filter });
      if (filter === undefined)
        found += hits.filter(({ payload }) => nearest[n]?.has(Number(payload.document_id))).length;
    };
    // The first search seals what was written.
    await ask(vector(), -1);
    const row: Record<string, unknown> = {
      points: vectors.length,
      dims,
      storage,
      pointsWrittenASecond: rate,
    };
    row['all'] = await timed(ask);
    row['recall'] = found / (questions.length * NEAREST);
    for (const [label, parts] of [
      ['1 %', PARTS / 100],
      ['0.01 %', 1],
    ] as const)
      row[label] = await timed((question, n) => ask(question, n, { field: 'part', lt: parts }));
    let isOver = false;
    const writing = (async () => {
      for (let n = 0; !isOver; n += BATCH) await write(vectors.length + n, vectors.slice(0, BATCH));
    })();
    row['whileWriting'] = await timed(ask);
    isOver = true;
    await writing;
    process.stdout.write(`${JSON.stringify(row)}\n`);
  } finally {
    await store.deleteCollection(name);
  }
}

/** Milliseconds per search, one after another: the median and the 95th percentile. */
async function timed(ask: (question: Float32Array, n: number) => Promise<void>) {
  const times: number[] = [];
  for (const [n, question] of questions.entries()) {
    const began = performance.now();
    await ask(question, n);
    times.push(performance.now() - began);
  }
  times.sort((a, b) => a - b);
  const at = (share: number): number => Number((times[Math.ceil(share * times.length) - 1] ?? 0).toFixed(1));
  return { p50: at(0.5), p95: at(0.95) };
}

function vector(): Float32Array {
  const sum = new Float32Array(dims);
  for (const axis of axes) {
    const part = normal();
    for (let d = 0; d < dims; d += 1) sum[d] = (sum[d] ?? 0) + part * (axis[d] ?? 0);
  }
  const noise = NOISE * Math.sqrt(LATENT);
  for (let d = 0; d < dims; d += 1) sum[d] = (sum[d] ?? 0) + noise * (random() * 2 - 1);
  const length = Math.hypot(...sum);
  return sum.map((value) => value / length);
}

function nearestTo(question: Float32Array, vectors: readonly Float32Array[]): number[] {
  return Array.from(vectors, (one, n) => ({ n, score: dot(one, question) }))
    .sort((a, b) => b.score - a.score)
    .slice(0, NEAREST)
    .map(({ n }) => n);
}

function dot(a: Float32Array, b: Float32Array): number {
  let sum = 0;
  for (let at = 0; at < dims; at += 1) sum += (a[at] ?? 0) * (b[at] ?? 0);
  return sum;
}

function documentOf(collection: CollectionName, n: number, dense: Float32Array): DocumentPoints {
  const id = String(n) as DocumentId;
  return {
    tenant: TENANT,
    id,
    sequence: 1,
    points: [
      {
        id: pointId(TENANT, collection, id, 0),
        dense,
        payload: {
          document_id: id,
          tenant: TENANT,
          chunk_index: 0,
          chunk_count: 1,
          text: `text ${n}`,
          start: 0,
          end: 8,
          title: null,
          image: null,
          timestamp: null,
          fingerprint: 'f'.repeat(64),
          job_id: 'job_bench' as JobId,
          sequence: 1,
          metadata: { part: n % PARTS },
        },
      },
    ],
  };
}
