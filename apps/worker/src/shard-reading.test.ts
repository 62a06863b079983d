import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { EmbedmillError, profileSchema, type JobId, type Shard, type TenantId } from '@embedmill/jobs';
import { Spool } from '@embedmill/sources';
import type { FoundDocument } from '@embedmill/vector-store';
import { ShardReading, type PendingDocument } from './shard-reading.ts';

const JOB = 'job_1' as JobId;
let spool: Spool;

beforeEach(async () => {
  spool = await Spool.open(await mkdtemp(join(tmpdir(), 'embedmill-reading-')));
});
afterEach(() => rm(spool.place, { recursive: true, force: true }));

const ORDER = { sequence: 2, decided: 2 };

function shardOf(lines: string[], duplicates: [number, number][] = [], profile = {}): Shard {
  const length = Buffer.byteLength(lines.map((line) => `${line}\n`).join(''));
  return {
    job: JOB,
    index: 0,
    sequence: 5,
    rival: 0,
    purpose: 'ingest',
    collection: {
      name: 'test',
      profile: profileSchema.parse(profile),
      dims: 4,
      vector: 'dense',
      createdAt: new Date(0).toISOString(),
    },
    source: { kind: 'inline', lines },
    range: { offset: 0, length, firstLine: 1, documents: lines.length, duplicates },
  };
}

const line = (id: string, text = 'text') => JSON.stringify({ id, text });

test('every line is counted exactly once, whatever its outcome', async () => {
  const lines = [
    line('old'),
    '{"id":',
    line('cut'),
    line('poison'),
    line('known'),
    line('mine'),
    line('old'),
  ];
  const reading = await ShardReading.read(spool, shardOf(lines, [[1, 7]]), 'r1');
  expect(reading.pending.map(({ document }) => document.id)).toEqual([
    'cut',
    'poison',
    'known',
    'mine',
    'old',
  ]);
  const state = 'stored' as const;
  const known = reading.pending.map(({ document: { id }, fingerprint }): FoundDocument =>
    id === 'known' || id === 'mine'
      ? { state, fingerprint, chunkCount: 3, jobId: (id === 'mine' ? JOB : 'job_0') as JobId, ...ORDER }
      : { state, fingerprint: 'another', chunkCount: 1, jobId: JOB, ...ORDER },
  );
  const {
    wanted: [cut, poison, old],
    unchanged,
    contested,
  } = reading.sort(known);
  for (const document of [...unchanged, ...contested]) reading.pass(document);
  reading.warn(cut!, new EmbedmillError('text_truncated', 'cut'));
  reading.store(1);
  reading.fail(poison!, new EmbedmillError('engine_crashed', 'died'), 'infer');
  expect(old?.document.id).toBe('old');
  reading.store(2);

  const result = await reading.settle(spool);
  expect(result).toMatchObject({
    documents: 7,
    stored: 3,
    skipped: 1,
    failed: 2,
    duplicates: 1,
    truncated: 1,
    chunks: 6,
  });
  expect(result.stored + result.skipped + result.failed + result.duplicates).toBe(result.documents);
  expect(reading.failed).toEqual([
    { stage: 'read', code: 'malformed_json' },
    { stage: 'infer', code: 'engine_crashed' },
  ]);
  const reports = Buffer.concat(await Array.fromAsync(spool.readReports(JOB, 'failures')))
    .toString()
    .trim()
    .split('\n');
  expect(reports.map((report) => JSON.parse(report) as object)).toMatchObject([
    { line: 2, code: 'malformed_json', retryable: false },
    { line: 4, id: 'poison', code: 'engine_crashed', retryable: true },
  ]);
});

test('what a later submission has decided is passed over; what an older job could still change is confirmed', async () => {
  const lines = ['new', 'same', 'contested', 'mine', 'confirmed', 'newer', 'deleted', 'older'].map((id) =>
    line(id),
  );
  const reading = await ShardReading.read(spool, { ...shardOf(lines), sequence: 5, rival: 3 }, 'r1');
  const found = new Map(
    reading.pending.map(({ document: { id }, fingerprint }): [string, FoundDocument | undefined] => {
      const as = (sequence: number, decided = sequence, jobId = 'job_0') =>
        ({ state: 'stored', fingerprint, chunkCount: 1, jobId: jobId as JobId, sequence, decided }) as const;
      switch (id) {
        case 'same':
          return [id, as(3)];
        case 'contested':
          return [id, as(2)];
        case 'mine':
          return [id, as(5, 5, JOB)];
        case 'confirmed':
          // Stored by an earlier attempt, and found unchanged by a later submission.
          return [id, as(5, 9, JOB)];
        case 'newer':
          return [id, as(1, 6)];
        case 'deleted':
          return [id, { state: 'absent', decided: 6 }];
        case 'older':
          return [id, { state: 'absent', decided: 4 }];
        default:
          return [id, undefined];
      }
    }),
  );
  const sorted = reading.sort(reading.pending.map(({ document: { id } }) => found.get(id)));
  const ids = (some: readonly { pending: PendingDocument }[]) =>
    some.map(({ pending }) => pending.document.id);
  expect(sorted.wanted.map(({ document }) => document.id)).toEqual(['new', 'older']);
  expect(ids(sorted.unchanged)).toEqual(['same']);
  expect(ids(sorted.contested)).toEqual(['contested', 'mine', 'confirmed']);
  expect(sorted.superseded.map(({ document }) => document.id)).toEqual(['newer', 'deleted']);
  for (const one of [...sorted.unchanged, ...sorted.contested]) reading.pass(one);
  for (const one of sorted.superseded) if (one !== undefined) reading.supersede();
  expect(await reading.settle(spool)).toMatchObject({ stored: 2, skipped: 2, superseded: 2 });
});

test('a fingerprint changes with all that the stored points depend on, and with nothing else', async () => {
  const fingerprint = async (json: object, profile = {}, revision = 'r1') => {
    const reading = await ShardReading.read(spool, shardOf([JSON.stringify(json)], [], profile), revision);
    return reading.pending[0]!.fingerprint;
  };
  const document = { id: 'a', text: 'text' };
  const base = await fingerprint(document);
  expect(await fingerprint({ text: 'text', id: 'a' })).toBe(base);
  const others = await Promise.all([
    fingerprint({ ...document, text: 'other' }),
    fingerprint({ ...document, title: 'title' }),
    fingerprint({ ...document, metadata: { a: 1 } }),
    fingerprint({ ...document, tenant: 't' }),
    fingerprint(document, { chunking: { mode: 'document' } }),
    fingerprint(document, {}, 'r2'),
  ]);
  expect(new Set([base, ...others]).size).toBe(others.length + 1);
});

test('of a shard that is bound to a tenant, another tenant’s documents fail and the rest is the tenant’s', async () => {
  const named = (id: string, tenant: string) => JSON.stringify({ id, text: 'text', tenant });
  const lines = [
    line('unnamed'),
    named('own', 'acme'),
    named('foreign', 'other'),
    named('default', 'default'),
  ];
  const reading = await ShardReading.read(spool, { ...shardOf(lines), tenant: 'acme' as TenantId }, 'r1');
  expect(reading.pending.map(({ document: { id, tenant } }) => [id, tenant])).toEqual([
    ['unnamed', 'acme'],
    ['own', 'acme'],
  ]);
  expect(reading.failed.map(({ code }) => code)).toEqual(['foreign_tenant', 'foreign_tenant']);
  expect(await reading.settle(spool)).toMatchObject({ documents: 4, failed: 2 });
});

test('a line that deletes is a tombstone, and the last line of an id counts', async () => {
  const gone = (id: string) => JSON.stringify({ id, deleted: true });
  const shard = shardOf(
    [gone('a'), line('b'), gone('b'), line('a')],
    [
      [1, 4],
      [2, 3],
    ],
  );
  const reading = await ShardReading.read(spool, shard, 'r1');
  expect(reading.tombstones.map(({ id }) => id)).toEqual(['b']);
  expect(reading.pending.map(({ document }) => document.id)).toEqual(['a']);
  reading.delete();
  reading.store(1);
  const counts = { documents: 4, stored: 1, deleted: 1, duplicates: 2, failed: 0 };
  expect(await reading.settle(spool)).toMatchObject(counts);
});
