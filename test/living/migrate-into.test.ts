import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Job } from '@embedmill/jobs';
import type { Alias } from '@embedmill/vector-store';
import { Embedmill, ndjson, uniqueName } from '../embedmill.ts';

/** Migrates a living collection to other chunks and sparse schemes, with the real commands and real models. */
let mill: Embedmill;
beforeAll(async () => {
  mill = await Embedmill.up();
});
afterAll(() => mill?.stop());

const sentence = (n: number): string =>
  `Note ${n}: the mill on the river ground ${(n * 13) % 97} sacks of corn before ${n % 5} o'clock.`;
const documents = (count: number, version = 0) =>
  Array.from({ length: count }, (_, n) => ({
    id: `d${n}`,
    ...(n % 3 === 0 && { title: `The title of ${n}` }),
    text: Array.from({ length: 2 + ((n * 7) % 12) }, (_, at) => sentence(100 * n + at + version)).join(
      n % 2 === 0 ? ' ' : '\n\n',
    ),
    metadata: { n },
  }));

interface Row {
  id: string;
  tenant: string;
  chunk: number;
  text: string;
  dense: number[];
}

/** All chunks with their vectors, as exported, except which job wrote them. */
async function exported(collection: string): Promise<Row[]> {
  const file = join(mill.data, `${collection}.ndjson`);
  await succeeds('export', collection, '--to', file, '--vectors');
  const rows = (await readFile(file, 'utf8'))
    .split('\n')
    .filter(Boolean)
    .map((line) => JSON.parse(line) as Row);
  const placeOf = ({ tenant, id, chunk }: Row): string => JSON.stringify([tenant, id, chunk]);
  return rows.sort((a, b) => (placeOf(a) < placeOf(b) ? -1 : 1));
}

/** Runs a command that must succeed, and returns its JSON. */
async function succeeds<T>(...args: string[]): Promise<T> {
  const { code, stdout, stderr } = await mill.cli(...args, '--json');
  expect(code, `${args.join(' ')}: ${stdout}${stderr}`).toBe(0);
  return JSON.parse(stdout) as T;
}

const named = async (collection: string) =>
  mill.json<{
    name: string;
    documents: number;
    averageLength: number;
    profile: { sparse: Record<string, object> };
  }>(`/api/v1/collections/${collection}`);

/** A collection behind an alias, with documents of two tenants. */
async function filled(count: number): Promise<{ alias: string; first: string; second: string }> {
  const alias = uniqueName('books');
  const [first, second] = [`${alias}-1`, `${alias}-2`];
  await succeeds('collections', 'create', first, '--filterable', 'n:integer');
  await succeeds('aliases', 'set', alias, first);
  const lines = [...documents(count), { id: 'd0', tenant: 'acme', text: sentence(7) }];
  expect(await mill.finished(await mill.submit(alias, ndjson(lines)))).toMatchObject({
    stored: count + 1,
    failed: 0,
  });
  return { alias, first, second };
}

test('a copy with other chunks and sparse schemes equals a fresh collection, and searches switch to it, back, and to it for good', async () => {
  const { alias, first, second } = await filled(120);
  const changes = ['--chunk-size', '48', '--overlap', '0', '--sparse', 'bm25,splade'];
  const job = await succeeds<{ state: string; stored: number; failed: number }>(
    ...['migrate', alias, '--into', second, ...changes, '--wait'],
  );
  expect(job).toMatchObject({ state: 'completed', stored: 121, failed: 0 });
  expect(await named(alias)).toMatchObject({ name: first, documents: 121 });

  // Both get new documents; a freshly filled collection is what both should equal.
  await mill.finished(await mill.submit(alias, ndjson(documents(40, 50))));
  await succeeds('delete', alias, 'd50', 'd51');
  const fresh = `${alias}-fresh`;
  // With the same average length as the copy: otherwise each collection takes it from its first documents.
  const { profile, averageLength } = await named(second);
  const bm25 = { ...profile.sparse['bm25'], averageLength };
  await mill.json('/api/v1/collections', {
    name: fresh,
    profile: { ...profile, sparse: { ...profile.sparse, bm25 } },
  });
  const lines = [
    ...documents(40, 50),
    ...documents(120).filter(({ metadata: { n } }) => n >= 40 && n !== 50 && n !== 51),
    { id: 'd0', tenant: 'acme', text: sentence(7) },
  ];
  await mill.finished(await mill.submit(fresh, ndjson(lines)));
  const [copied, expected] = [await exported(second), await exported(fresh)];
  expect(copied.length).toBeGreaterThan(240);
  expect(copied).toEqual(expected);

  expect(await succeeds('migrate', alias, '--exchange')).toMatchObject({
    collection: { name: second, documents: 119 },
  });
  const query = {
    query: 'sacks of corn',
    mode: 'hybrid',
    sparse: ['splade'],
    limit: 10,
    filter: { field: 'n', lt: 40 },
  };
  const hits = await mill.search(alias, query);
  expect(hits.map(({ id, score }) => [id, score])).toEqual(
    (await mill.search(fresh, query)).map(({ id, score }) => [id, score]),
  );
  expect(await succeeds('migrate', alias, '--exchange')).toMatchObject({
    collection: { name: first, documents: 119 },
  });
  await succeeds('migrate', alias, '--exchange');
  expect(await succeeds('migrate', alias, '--end')).toMatchObject({ collection: { name: second } });
  const left = (await mill.json<{ collections: { name: string }[] }>('/api/v1/collections')).collections;
  expect(left.map(({ name }) => name)).not.toContain(first);
  expect(await mill.json<{ aliases: Alias[] }>('/api/v1/aliases')).toMatchObject({
    aliases: expect.arrayContaining([{ name: alias, collection: second }]) as Alias[],
  });
});

test('a copy cancelled in the middle cannot be switched over to; the same command continues it and skips what is there', async () => {
  const { alias, first, second } = await filled(2000);
  const command = ['migrate', alias, '--into', second, '--chunk-size', '32', '--overlap', '0'];
  const { job: id } = await succeeds<{ job: string }>(...command);
  await mill.underWay({ id });
  // Otherwise the job could end while the command that cancels it starts.
  await mill.call('/api/v1/queue/pause', { method: 'POST' });
  await succeeds('cancel', id);
  const cancelled = await mill.finished({ id });
  await mill.call('/api/v1/queue/resume', { method: 'POST' });
  expect(cancelled).toMatchObject({ state: 'cancelled', failed: 0 });
  expect(cancelled.stored).toBeGreaterThan(0);
  expect(cancelled.stored).toBeLessThan(2001);
  const refused = await mill.cli('migrate', alias, '--exchange');
  expect(refused.code).toBe(1);
  expect(refused.stderr).toContain(`${second} does not have all documents of ${first} yet`);
  // Meanwhile, both are written to.
  await mill.finished(await mill.submit(alias, ndjson([{ id: 'late', text: sentence(1) }])));

  const again = await succeeds<Pick<Job, 'state' | 'stored' | 'skipped' | 'failed'>>(...command, '--wait');
  expect(again).toMatchObject({ state: 'completed', failed: 0 });
  expect(again.skipped).toBeGreaterThanOrEqual(cancelled.stored);
  expect(again.stored + again.skipped).toBe(2002);
  await succeeds('migrate', alias, '--exchange');
  expect(await named(alias)).toMatchObject({ name: second, documents: 2002 });
  await succeeds('migrate', alias, '--end');

  // A copy that is given up before the switch leaves nothing.
  const third = `${alias}-3`;
  await succeeds('migrate', alias, '--into', third, '--no-chunking');
  await mill.until('it is given up', async () => (await mill.cli('migrate', alias, '--end')).code === 0);
  expect(await named(alias)).toMatchObject({ name: second, documents: 2002 });
  expect((await mill.call(`/api/v1/collections/${third}`)).status).toBe(404);
});
