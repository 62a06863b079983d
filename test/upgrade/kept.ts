import { readdir, readFile } from 'node:fs/promises';
import { join, relative } from 'node:path';
import type { Redis } from 'ioredis';
import type { Job } from '@embedmill/jobs';
import { ndjson, type Embedmill } from '../embedmill.ts';

/** What the queue and the spool keep besides a job’s own records: the first record of each kind, by kind. */
export type Kept = Record<string, unknown>;

/** Where the spool keeps each kind: the record is the file’s first line. */
const FILES: readonly (readonly [kind: string, path: RegExp])[] = [
  ['finished', /^job_\w+\/finished\.json$/],
  ['file-lines', /^job_\w+\/files\.ndjson$/],
  ['watched', /^watched\//],
  ['watched-runs', /^watched-runs\//],
  ['watched-marks', /^watched-marks\//],
  ['client-file', /^files\//],
  ['upload', /^uploads\//],
  ['batch', /^batches\//],
  ['dataset', /^datasets\//],
  ['map-state', /^maps\/.*\.state$/],
  ['range-tombstone', /^range-tombstones-.*\.json$/],
];
/** Where Redis keeps other kinds, by the ends of the keys. */
const KEYS: readonly (readonly [kind: string, key: RegExp])[] = [
  ['worker', /:worker:[^:]+$/],
  ['room', /:room:[^:]+$/],
];

/** Causes all of them to be written, in the collection `docs` of a server that may read `shelf/a.ndjson`. */
export async function keptRecords(mill: Embedmill, connection: Redis): Promise<Kept> {
  const one = new Blob([ndjson([{ id: 'm1', text: 'one of many files' }])]);
  const many = await mill.call('/api/v1/collections/docs/jobs', {
    method: 'POST',
    body: form({ file: [one, 'one.ndjson'] }),
  });
  await mill.finished((await many.json()) as Job);
  const schedule = { every: '1h' };
  await mill.json('/api/v1/collections/docs/sources/shelf', { files: ['shelf'], schedule }, 'PUT');
  const request = { model: 'all-MiniLM-L6-v2', input: 'a text' };
  const line = { custom_id: 'c', method: 'POST', url: '/v1/embeddings', body: request };
  const uploaded = await mill.call('/v1/files', {
    method: 'POST',
    body: form({ purpose: 'batch', file: [new Blob([ndjson([line])]), 'requests.jsonl'] }),
  });
  const file = (await uploaded.json()) as { id: string };
  const endpoint = '/v1/embeddings';
  await mill.json('/v1/batches', { input_file_id: file.id, endpoint, completion_window: '24h' });
  const mime = 'application/jsonl';
  await mill.json('/v1/uploads', { filename: 'part.jsonl', purpose: 'batch', bytes: 10, mime_type: mime });
  await mill.call('/v1/datasets?name=rows&type=embed-input', {
    method: 'POST',
    body: form({ data: [new Blob([ndjson([{ text: 'a row' }])]), 'rows.jsonl'] }),
  });
  await mill.json('/api/v1/collections/docs/map', { method: 'pca' });
  await mill.json('/api/v1/collections/docs/documents/delete', { filter: { field: 'part', eq: 1 } });

  const kept: Kept = {};
  const kinds = [...FILES, ...KEYS].map(([kind]) => kind);
  await mill.until(`there is a record of each of ${[...kinds, 'log-line'].join(', ')}`, async () => {
    await fromSpool(join(mill.data, 'spool'), kept);
    await fromRedis(connection, kept);
    return [...kinds, 'log-line'].every((kind) => kind in kept);
  });
  return kept;
}

function form(parts: Record<string, string | [Blob, string]>): FormData {
  const body = new FormData();
  for (const [name, part] of Object.entries(parts)) {
    if (typeof part === 'string') body.append(name, part);
    else body.append(name, ...part);
  }
  return body;
}

async function fromSpool(spool: string, kept: Kept): Promise<void> {
  for (const entry of await readdir(spool, { recursive: true, withFileTypes: true })) {
    const path = join(entry.parentPath, entry.name);
    const name = relative(spool, path);
    const [kind] = FILES.find(([, pattern]) => pattern.test(name)) ?? [];
    if (!entry.isFile() || kind === undefined || kind in kept) continue;
    const [line = ''] = (await readFile(path, 'utf8').catch(() => '')).split('\n');
    if (line !== '') kept[kind] = JSON.parse(line);
  }
}

async function fromRedis(connection: Redis, kept: Kept): Promise<void> {
  for (const key of await connection.keys('*')) {
    if (key.endsWith(':logs')) {
      const [line] = await connection.lrange(key, 0, 0);
      if (line !== undefined) kept['log-line'] ??= JSON.parse(line);
    }
    const [kind] = KEYS.find(([, pattern]) => pattern.test(key)) ?? [];
    const text = kind === undefined ? null : await connection.get(key);
    if (kind !== undefined && text !== null) kept[kind] ??= JSON.parse(text);
  }
}
