import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import type { Redis } from 'ioredis';
import { newApiKey, type CollectionName, type Job } from '@embedmill/jobs';
import { connectQueue, newJobId } from '@embedmill/queue';
import { Spool, writeFileList } from '@embedmill/sources';
import { ndjson, type Embedmill } from '../embedmill.ts';

/** What the queue, the spool and the store keep besides a job’s own records: the first record of each kind, by kind. */
export type Kept = Record<string, unknown>;

/** Where the data folder keeps each kind: the record is the file’s first line. */
const FILES: readonly (readonly [kind: string, path: RegExp])[] = [
  ['finished', /^spool\/job_\w+\/finished\.json$/],
  ['file-lines', /^spool\/job_\w+\/files\.ndjson$/],
  ['watched', /^spool\/watched\//],
  ['watched-runs', /^spool\/watched-runs\//],
  ['watched-marks', /^spool\/watched-marks\//],
  ['client-file', /^spool\/files\//],
  ['upload', /^spool\/uploads\//],
  ['batch', /^spool\/batches\//],
  ['dataset', /^spool\/datasets\//],
  ['map-state', /^spool\/maps\/.*\.state$/],
  ['range-tombstone', /^spool\/range-tombstones-.*\.json$/],
];
/** Files that are one record of several lines. */
const WHOLE_FILES: readonly (readonly [kind: string, path: RegExp])[] = [
  ['definition', /\/docs\/collection\.json$/],
  ['aliases', /\/aliases\.json$/],
];
/** Where Redis keeps other kinds, by the ends of the keys; of a list, the first. */
const KEYS: readonly (readonly [kind: string, key: RegExp])[] = [
  ['worker', /:worker:[^:]+$/],
  ['room', /:room:[^:]+$/],
  ['trouble', /:trouble:[^:]+$/],
  ['api-key', /:api-keys$/],
];
/** A job of the queue of webhooks has its message as data. */
const WEBHOOK = /:webhooks:job_[^:]+$/;
const KINDS = [...[...FILES, ...WHOLE_FILES, ...KEYS].map(([kind]) => kind), 'log-line', 'webhook'];

/** A model that is not available: workers report that they cannot download it. */
const ABSENT_MODEL = 'bge-base-en-v1.5';

/**
 * Causes all of them to be written, in the collection `docs` of a server that may read `shelf/a.ndjson` and has no hub to
 * download models from.
 */
export async function keptRecords(mill: Embedmill, connection: Redis, redisUrl: string): Promise<Kept> {
  const one = new Blob([ndjson([{ id: 'm1', text: 'one of many files' }])]);
  const many = await mill.call('/api/v1/collections/docs/jobs', {
    method: 'POST',
    body: form({ file: [one, 'one.ndjson'] }),
    headers: {
      'embedmill-webhook-url': 'http://127.0.0.1:9/ended',
      'embedmill-webhook-secret': `whsec_${Buffer.alloc(24, 'secret').toString('base64')}`,
    },
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
  await mill.json('/api/v1/aliases/current', { collection: 'docs' }, 'PUT');
  await keepKey(redisUrl);
  await mill.json('/api/v1/collections', { name: 'elsewhere', profile: { model: ABSENT_MODEL } });
  await mill.submit('elsewhere', ndjson([{ id: 'e1', text: 'no worker has its model' }]));

  const kept: Kept = {};
  await mill
    .until(`there is a record of each of ${KINDS.join(', ')}`, async () => {
      await fromFiles(mill.data, kept);
      await fromRedis(connection, kept);
      return KINDS.every((kind) => kind in kept);
    })
    .catch((error: unknown) => {
      const missing = KINDS.filter((kind) => !(kind in kept));
      throw new Error(`no record of ${missing.join(', ')}`, { cause: error });
    });
  return { ...kept, 'listed-file': await listedFile() };
}

/** As the API lists a job’s files; the list goes once their lines have been gathered. */
async function listedFile(): Promise<unknown> {
  const folder = await mkdtemp(join(tmpdir(), 'embedmill-list-'));
  try {
    const spool = await Spool.open(folder);
    const at = { kind: 'packed' as const, offset: 0, size: 39 };
    const list = await writeFileList(spool, newJobId(), [
      { name: 'one.csv.gz', at, encoding: { format: 'csv', gzip: true } },
    ]);
    const [line = ''] = Buffer.concat(await Array.fromAsync(spool.readSource(list)))
      .toString('utf8')
      .split('\n');
    return JSON.parse(line);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** As the API keeps a key that an administrator creates: a server that anybody may use creates none. */
async function keepKey(redisUrl: string): Promise<void> {
  const queue = await connectQueue({ redisUrl });
  const { id, hash } = newApiKey();
  const key = {
    name: 'reader',
    scopes: ['search' as const],
    collections: ['docs' as CollectionName],
    id,
    hash,
  };
  await queue.apiKeys.change((keys) => [...keys, key]);
  await queue.close();
}

function form(parts: Record<string, string | [Blob, string]>): FormData {
  const body = new FormData();
  for (const [name, part] of Object.entries(parts)) {
    if (typeof part === 'string') body.append(name, part);
    else body.append(name, ...part);
  }
  return body;
}

async function fromFiles(data: string, kept: Kept): Promise<void> {
  for (const entry of await readdir(data, { recursive: true, withFileTypes: true })) {
    if (!entry.isFile()) continue;
    const path = join(entry.parentPath, entry.name);
    const name = relative(data, path);
    const [wholeKind] = WHOLE_FILES.find(([, pattern]) => pattern.test(name)) ?? [];
    const [kind = wholeKind] = FILES.find(([, pattern]) => pattern.test(name)) ?? [];
    if (kind === undefined || kind in kept) continue;
    const text = await readFile(path, 'utf8').catch(() => '');
    const record = wholeKind === undefined ? text.slice(0, Math.max(0, text.search(/\n|$/))) : text;
    if (record === '') continue;
    kept[kind] = JSON.parse(record);
  }
}

async function fromRedis(connection: Redis, kept: Kept): Promise<void> {
  for (const key of await connection.keys('*')) {
    if (key.endsWith(':logs')) {
      const [line] = await connection.lrange(key, 0, 0);
      if (line !== undefined) kept['log-line'] ??= JSON.parse(line);
    }
    if (WEBHOOK.test(key) && (await connection.type(key)) === 'hash') {
      const data = await connection.hget(key, 'data');
      if (data !== null) kept['webhook'] ??= JSON.parse(data);
    }
    const [kind] = KEYS.find(([, pattern]) => pattern.test(key)) ?? [];
    const text = kind === undefined ? null : await connection.get(key);
    if (kind === undefined || text === null) continue;
    const value: unknown = JSON.parse(text);
    kept[kind] ??= Array.isArray(value) ? value[0] : value;
  }
}
