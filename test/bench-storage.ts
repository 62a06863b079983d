/**
 * `node test/bench-storage.ts --texts FILE --pid PID`: how much memory of a real Qdrant each `storage` of a profile
 * takes, and what its searches find. FILE has one text per line; the last 200 are queries. QDRANT_URL names the server,
 * which must be otherwise idle, and PID is its process, on this machine.
 *
 * Memory is the process's resident memory (VmRSS), including mapped files, when its optimizers are idle and all queries
 * have been run, less its memory before. Recall is the share of the 100 nearest, by exact cosines computed here, that a
 * search for 100 finds.
 */
import { readFile } from 'node:fs/promises';
import { setTimeout } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { embed } from '@embedmill/embed';
import {
  pointId,
  profileSchema,
  type Collection,
  type CollectionName,
  type DocumentId,
  type JobId,
  type TenantId,
} from '@embedmill/jobs';
import { openQdrantStore, type DocumentPoints, type PointPayload } from '@embedmill/vector-store';

const { values } = parseArgs({ options: { texts: { type: 'string' }, pid: { type: 'string' } } });
const url = process.env['QDRANT_URL'];
if (values.texts === undefined || values.pid === undefined || url === undefined)
  throw new Error('name a file of texts, --texts FILE, a server, QDRANT_URL, and its process, --pid PID');

const QUESTIONS = 200;
const NEAREST = 100;
const MODEL = 'all-MiniLM-L6-v2';
const TENANT = 'default' as TenantId;
const STORAGES = ['float32', 'int8', 'binary'] as const;

const texts = (await readFile(values.texts, 'utf8')).split('\n').filter(Boolean);
const vectors = (await Array.fromAsync(embed(texts, { model: MODEL }))).flat();
const questions = vectors.splice(-QUESTIONS);
const nearest = questions.map((question) => new Set(nearestTo(question)));
const store = await openQdrantStore({ url });

for (const storage of STORAGES) {
  const name = `bench-storage-${storage}-${process.pid}` as CollectionName;
  const profile = profileSchema.parse({ model: MODEL, storage });
  const createdAt = new Date().toISOString();
  const collection: Collection = { name, dims: vectors[0]?.length ?? 0, vector: 'dense', createdAt, profile };
  const before = await resident();
  await store.createCollection(collection);
  try {
    for (let from = 0; from < vectors.length; from += 512)
      await store.replaceDocuments(name, documentsOf(name, from, from + 512), collection);
    await rested(name);
    let found = 0;
    const began = performance.now();
    for (const [n, vector] of questions.entries()) {
      const search = { vector: { kind: 'dense' as const, values: vector }, limit: NEAREST, offset: 0 };
      const hits = await store.search(name, search);
      found += hits.filter(({ payload }) => nearest[n]?.has(Number(payload.document_id))).length;
    }
    const milliseconds = (performance.now() - began) / QUESTIONS;
    const megabytes = (await resident()) - before;
    const recall = found / QUESTIONS / NEAREST;
    const figures = `${megabytes.toFixed(0)} MB, recall@${NEAREST} ${recall.toFixed(3)}, ${milliseconds.toFixed(1)} ms a search`;
    process.stdout.write(`${storage}: ${vectors.length} vectors of ${collection.dims}: ${figures}\n`);
  } finally {
    await store.deleteCollection(name);
  }
}
await store.close();

function nearestTo(question: Float32Array): number[] {
  const scores = vectors.map((vector, n) => ({ n, score: dot(vector, question) }));
  return scores
    .sort((a, b) => b.score - a.score)
    .slice(0, NEAREST)
    .map(({ n }) => n);
}

function dot(a: Float32Array, b: Float32Array): number {
  let sum = 0;
  for (let at = 0; at < a.length; at += 1) sum += (a[at] ?? 0) * (b[at] ?? 0);
  return sum;
}

function documentsOf(name: CollectionName, from: number, to: number): DocumentPoints[] {
  return vectors.slice(from, to).map((dense, at) => {
    const id = String(from + at) as DocumentId;
    const text = texts[from + at] ?? '';
    const payload: PointPayload = {
      document_id: id,
      tenant: TENANT,
      chunk_index: 0,
      chunk_count: 1,
      text,
      start: 0,
      end: text.length,
      title: null,
      image: null,
      timestamp: null,
      fingerprint: 'f'.repeat(64),
      job_id: 'job_bench' as JobId,
      sequence: 1,
      metadata: {},
    };
    return {
      tenant: TENANT,
      id,
      sequence: 1,
      points: [{ id: pointId(TENANT, name, id, 0), dense, payload }],
    };
  });
}

/** Resident memory in megabytes. */
async function resident(): Promise<number> {
  const status = await readFile(`/proc/${values.pid}/status`, 'utf8');
  return Number(/^VmRSS:\s+(\d+)/m.exec(status)?.[1] ?? NaN) / 1024;
}

/** Waits until the server's optimizers are idle. */
async function rested(name: string): Promise<void> {
  for (const deadline = Date.now() + 600_000; Date.now() < deadline; await setTimeout(500)) {
    const answer = await fetch(new URL(`/collections/${name}`, url));
    const { result } = (await answer.json()) as { result: { status: string; optimizer_status: unknown } };
    if (result.status === 'green' && result.optimizer_status === 'ok') return;
  }
  throw new Error(`the optimizers of ${name} did not come to rest within ten minutes`);
}
