/**
 * Measures a writer's CPU time per point stored in Qdrant, including look-ups and checks: `node bench-upsert.ts`. The
 * server is that of QDRANT_URL, or the fake one in a separate process, which parses and checks every request.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import {
  pointId,
  profileSchema,
  type Collection,
  type CollectionName,
  type DocumentId,
  type JobId,
  type TenantId,
} from '@embedmill/jobs';
import type { DocumentPoints, PointPayload, VectorStore } from '../store.ts';
import { openQdrantStore } from './open-qdrant-store.ts';

/** The number of documents per call, as in a worker's writer. */
const DOCUMENTS = 512;
const ROUNDS = 12;
const WARM_UP = 4;
const TENANT = 'default' as TenantId;
const TEXT = 'A short text of some words, as those that are searched for most often have it. ';

function unitVector(dims: number): Float32Array {
  const vector = Float32Array.from({ length: dims }, () => Math.random() * 2 - 1);
  const length = Math.hypot(...vector);
  return vector.map((value) => value / length);
}

function documentOf(name: CollectionName, dims: number, n: number, round: number): DocumentPoints {
  const id = `d${round}-${n}` as DocumentId;
  const payload: PointPayload = {
    document_id: id,
    tenant: TENANT,
    chunk_index: 0,
    chunk_count: 1,
    text: TEXT.repeat(n % 16 === 0 ? 10 : 1),
    start: 0,
    end: TEXT.length,
    title: null,
    image: null,
    timestamp: null,
    fingerprint: 'f'.repeat(64),
    job_id: '00000000-0000-4000-8000-000000000000' as JobId,
    sequence: 1,
    metadata: { year: 2020, tag: 'news' },
  };
  const point = { id: pointId(TENANT, name, id, 0), dense: unitVector(dims), payload };
  return { tenant: TENANT, id, sequence: 1, points: [point] };
}

async function measure(store: VectorStore, dims: number): Promise<void> {
  const name = `bench-upsert-${process.pid}` as CollectionName;
  const profile = profileSchema.parse({ filterable: { year: 'integer', tag: 'keyword' } });
  const createdAt = new Date().toISOString();
  const collection: Collection = { name, dims, vector: 'dense', createdAt, profile };
  await store.createCollection(collection);
  try {
    let micros = 0;
    for (let round = 0; round < WARM_UP + ROUNDS; round += 1) {
      const documents = Array.from({ length: DOCUMENTS }, (_, n) => documentOf(name, dims, n, round));
      const before = process.cpuUsage();
      await store.replaceDocuments(name, documents, collection);
      const { user, system } = process.cpuUsage(before);
      if (round >= WARM_UP) micros += user + system;
    }
    const each = micros / ROUNDS / DOCUMENTS;
    process.stdout.write(`${dims} numbers: ${each.toFixed(1)} µs of CPU a point\n`);
  } finally {
    await store.deleteCollection(name);
  }
}

async function serverAtHand(): Promise<{ url: string; stop: () => void }> {
  const url = process.env['QDRANT_URL'];
  if (url) return { url, stop: () => undefined };
  const command = [join(import.meta.dirname, 'fake-server.ts')];
  const server = spawn(process.execPath, command, { stdio: ['ignore', 'pipe', 'inherit'] });
  const [said] = (await once(server.stdout, 'data')) as [Buffer];
  return { url: said.toString().trim(), stop: () => void server.kill() };
}

const { url, stop } = await serverAtHand();
const store = await openQdrantStore({ url });
for (const dims of [384, 768]) await measure(store, dims);
stop();
