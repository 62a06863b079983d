import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { collectionSchema, shardRangeSchema, shardResultSchema, shardSchema } from '@embedmill/jobs';
import { parseRecord } from '@embedmill/queue';
import { describe, expect, test } from 'vitest';

/**
 * What earlier releases kept is read by this one, with all that it says: records that were taken from a job under way by
 * `upgrade/record.ts`. That whole releases follow one another, and back, is `npm run test:upgrade`.
 */
const RECORDS = join(import.meta.dirname, 'upgrade/records');

interface Records {
  collection: { points: number; documents: number };
  ingest: object[];
  shards: object[];
  results: object[];
  unfinished: object;
  range: object;
}

const releases = await Promise.all(
  (await readdir(RECORDS)).map(
    async (name) =>
      [
        name.replace('.json', ''),
        JSON.parse(await readFile(join(RECORDS, name), 'utf8')) as Records,
      ] as const,
  ),
);

test('there are records of a release', () => {
  expect(releases.length).toBeGreaterThan(0);
});

describe.each(releases)('records of %s are read', (_release, records) => {
  test('jobs, on the queue and in the spool', () => {
    const jobs = [...records.ingest, records.unfinished];
    expect(jobs.length).toBeGreaterThan(1);
    for (const job of jobs) expect(parseRecord(job)).toMatchObject(job);
  });

  test('shards that wait, and results of those that are settled', () => {
    expect(records.shards.length).toBeGreaterThan(0);
    for (const shard of records.shards) expect(shardSchema.parse(shard)).toMatchObject(shard);
    for (const result of records.results) expect(shardResultSchema.parse(result)).toMatchObject(result);
    expect(shardRangeSchema.parse(records.range)).toMatchObject(records.range);
  });

  test('collections', () => {
    // Asked for by HTTP, it comes with counts.
    const { points, documents, ...definition } = records.collection;
    expect([points, documents]).toEqual([0, 0]);
    expect(collectionSchema.parse(definition)).toMatchObject(definition);
  });
});
