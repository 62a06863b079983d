/**
 * Prints this release's records, as a queue and a spool keep them during a job, for the tests of later releases:
 *
 *   node test/upgrade/record.ts > test/upgrade/records/VERSION.json
 */
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { hostname, tmpdir } from 'node:os';
import { join } from 'node:path';
import { startTestRedis } from '@embedmill/redis-server';
import { Redis } from 'ioredis';
import { Embedmill, ndjson } from '../embedmill.ts';
import { keptRecords } from './kept.ts';
import { loadMark } from './load-mark.ts';

/** Models that do not come with embedmill are not to be had. */
const NO_HUB = 'http://127.0.0.1:9';

const redis = await startTestRedis();
const otherRedis = await startTestRedis();
const connection = new Redis(redis.url);
const sources = await mkdtemp(join(tmpdir(), 'embedmill-sources-'));
await mkdir(join(sources, 'shelf'));
await writeFile(join(sources, 'shelf', 'a.ndjson'), ndjson([{ id: 's1', text: 'a text on a shelf' }]));
const mill = await Embedmill.up({
  args: ['--source-dir', sources],
  env: { REDIS_URL: redis.url, EMBEDMILL_HUB_URL: NO_HUB },
});
const found = { ingest: [] as unknown[], shards: [] as unknown[], results: [] as unknown[] };
try {
  const profile = { sparse: { bm25: {} }, filterable: { part: 'integer' } };
  const collection = await mill.json('/api/v1/collections', { name: 'docs', profile });
  const text = 'a river that flows under a bridge of old stones and past the green fields of a town';
  const documents = Array.from({ length: 3000 }, (_, n) => ({
    id: `d${n}`,
    text: `${n} ${text}`,
    metadata: { part: n % 3 },
  }));
  const job = await mill.submit('docs', ndjson(documents));
  await mill.until('a job, a shard and a result are on the queue', async () => {
    for (const key of await connection.keys('*')) {
      const type = await connection.type(key);
      const fields = type === 'hash' ? await connection.hgetall(key) : {};
      if (fields['data'] !== undefined) sort(JSON.parse(fields['data']) as object);
      if (key.endsWith(':processed'))
        for (const value of Object.values(fields)) keepOne(found.results, JSON.parse(value));
    }
    return Object.values(found).every(({ length }) => length > 0);
  });
  const spool = join(mill.data, 'spool');
  const manifest = (await readFile(join(spool, job.id, 'manifest.ndjson'), 'utf8')).split('\n');
  const unfinished = JSON.parse(
    await readFile(join(spool, 'unfinished', `${job.id}.json`), 'utf8'),
  ) as unknown;
  const names = await readdir(join(spool, job.id));
  const records = {
    collection,
    ...found,
    unfinished,
    range: JSON.parse(manifest[0] ?? '') as unknown,
    names,
  };
  await mill.finished(job);
  const kept = await keptRecords(mill, connection, redis.url);
  const mark = await loadMark(otherRedis.url, ndjson(documents));
  const all = { ...records, kept: { ...kept, 'load-mark': mark } };
  const written = JSON.stringify(all, null, 2).replaceAll(mill.data, '/data').replaceAll(sources, '/sources');
  process.stdout.write(`${written.replaceAll(hostname(), 'host')}\n`);
} finally {
  await mill.stop();
  await rm(sources, { recursive: true, force: true });
  connection.disconnect();
  await redis.stop();
  await otherRedis.stop();
}

function sort(data: object): void {
  if ('submission' in data) keepOne(found.ingest, data);
  else if ('range' in data) keepOne(found.shards, data);
}

function keepOne(kept: unknown[], record: unknown): void {
  if (kept.length === 0) kept.push(record);
}
