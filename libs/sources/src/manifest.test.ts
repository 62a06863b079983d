import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { sectionAt, sectionsOf, type DocumentId, type JobId, type TenantId } from '@embedmill/jobs';
import { DuplicateFinder } from './duplicates.ts';
import { readManifest, writeManifest } from './manifest.ts';
import { fileSource } from './file-source.ts';
import { readLines } from './lines.ts';
import { Spool } from './spool.ts';

const JOB = 'job_1' as JobId;
let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'embedmill-manifest-'));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

async function manifestOf(lines: string[], limits?: { documents: number; bytes: number }, tenant?: TenantId) {
  const path = join(folder, 'source.ndjson');
  await writeFile(path, lines.map((line) => `${line}\n`).join(''));
  const spool = await Spool.open(join(folder, 'spool'));
  const options = { ...(limits && { limits }), scope: { tenant } };
  const totals = await writeManifest(spool, JOB, await fileSource(path), { filterable: {} }, options);
  const shards = (await Array.fromAsync(readManifest(spool, JOB))).map(({ range }) => range);
  return { totals, shards, spool };
}

const line = (id: string, text = 'text') => JSON.stringify({ id, text });

test('shards cover every line once, within their limits', async () => {
  const lines = Array.from({ length: 1000 }, (_, n) => line(`d${n}`, 'x'.repeat(n % 300)));
  const { totals, shards } = await manifestOf(lines, { documents: 64, bytes: 8192 });
  expect(totals).toMatchObject({ documents: 1000, shards: shards.length, unnamed: 0 });
  let offset = 0;
  let number = 1;
  for (const shard of shards) {
    expect(shard.offset).toBe(offset);
    expect(shard.firstLine).toBe(number);
    expect(shard.documents).toBeLessThanOrEqual(64);
    if (shard.documents > 1) expect(shard.length).toBeLessThanOrEqual(8192);
    offset += shard.length;
    number += shard.documents;
  }
  expect(number).toBe(1001);
});

test('of a job that is bound to a tenant, a document that names it comes again where one names none', async () => {
  const named = (tenant: string) => JSON.stringify({ id: 'a', text: 'x', tenant });
  const lines = [line('a'), named('acme'), named('other')];
  expect((await manifestOf(lines, undefined, 'acme' as TenantId)).shards[0]?.duplicates).toEqual([[1, 2]]);
  expect((await manifestOf(lines)).shards[0]?.duplicates).toEqual([]);
});

test('a document that comes again names the last line that has it, also across shards', async () => {
  const lines = [line('a'), line('b'), line('a'), line('c'), line('a'), line('b')];
  const { shards } = await manifestOf(lines, { documents: 2, bytes: 1e6 });
  expect(shards.map(({ duplicates }) => duplicates)).toEqual([
    [
      [1, 5],
      [2, 6],
    ],
    [[3, 5]],
    [],
  ]);
});

test('a later line that is no valid document does not displace an earlier valid one', async () => {
  const { shards } = await manifestOf([line('a'), line('a', '  '), '{"id":"a"']);
  expect(shards[0]?.duplicates).toEqual([]);
});

test('the same id of another tenant is another document; a number is the id it spells', async () => {
  const { shards } = await manifestOf([
    '{"id":"1","text":"x"}',
    '{"id":"1","text":"x","tenant":"t"}',
    '{"id":1,"text":"x"}',
  ]);
  expect(shards[0]?.duplicates).toEqual([[1, 3]]);
});

test('reading goes on from a saved cursor', async () => {
  const lines = Array.from({ length: 10 }, (_, n) => line(`d${n}`));
  const { spool, shards } = await manifestOf(lines, { documents: 2, bytes: 1e6 });
  const [, second] = await Array.fromAsync(readManifest(spool, JOB));
  const rest = (await Array.fromAsync(readManifest(spool, JOB, second!.next))).map(({ range }) => range);
  expect(rest).toEqual(shards.slice(2));
});

test('duplicates are found alike in memory and spilled to disk', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(fc.nat(20), { maxLength: 200 }), async (ids) => {
      const last = new Map(ids.map((id, n) => [id, n + 1]));
      const expected = ids.flatMap((id, n) => (last.get(id) === n + 1 ? [] : [[n + 1, last.get(id)]]));
      for (const memory of [1, 1000]) {
        const finder = new DuplicateFinder(memory);
        try {
          for (const [n, id] of ids.entries()) {
            await finder.add({ tenant: 'default' as TenantId, id: String(id) as DocumentId }, n + 1);
          }
          expect(await Array.fromAsync(finder.duplicates())).toEqual(expected);
        } finally {
          await finder.close();
        }
      }
    }),
    { numRuns: 30 },
  );
});

test('sections that are scanned one after another have every line once, with its number and what comes again in them', async () => {
  const lines = fc.array(fc.constantFrom(line('a'), line('b'), line('c', 'x'.repeat(90)), '', '  ', '{'));
  await fc.assert(
    fc.asyncProperty(lines, fc.integer({ min: 10, max: 200 }), async (given, first) => {
      const path = join(folder, 'source.ndjson');
      const text = [line('first'), ...given].map((one) => `${one}\n`).join('');
      await writeFile(path, text);
      const spool = await Spool.open(join(folder, 'spool'));
      const source = await fileSource(path);
      const sections = sectionsOf(text.length, first);
      let start = { offset: 0, line: 1 };
      for (const [number] of sections.entries()) {
        const section = { number, ...start, until: sections[number + 1]?.offset };
        const limits = { documents: 3, bytes: 1e6 };
        const { end } = await writeManifest(spool, JOB, source, { filterable: {} }, { section, limits });
        start = end;
      }
      const expected = text.split('\n').flatMap((one, n, all) => {
        const offset = all.slice(0, n).reduce((sum, { length }) => sum + length + 1, 0);
        return one.trim() === '' ? [] : [{ number: n + 1, id: one, section: sectionAt(sections, offset) }];
      });
      const read = [];
      for await (const { range, next } of readManifest(spool, JOB, { sections: sections.length })) {
        const duplicates = new Map(range.duplicates);
        for await (const group of readLines(spool.readSource(source, range.offset, range.length), range))
          for (const { number, bytes } of group)
            read.push({ number, id: bytes?.toString(), section: next.section, by: duplicates.get(number) });
      }
      const isNamed = ({ id }: { id: string }) => id !== '{';
      const lastOf = (one: (typeof expected)[number]) =>
        expected.findLast(({ id, section }) => isNamed(one) && id === one.id && section === one.section);
      expect(read).toEqual(
        expected.map((one) => {
          const last = lastOf(one)?.number;
          return { ...one, by: last === one.number ? undefined : last };
        }),
      );
    }),
    { numRuns: 60 },
  );
});
