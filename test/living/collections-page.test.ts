import { execFile } from 'node:child_process';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Alias } from '@embedmill/vector-store';
import { Embedmill, ndjson } from '../embedmill.ts';

/** The commands of docs/collections.md, run as written in a shell, one after another: each does what the page says. */
const PAGE = fileURLToPath(new URL('../../docs/collections.md', import.meta.url));
const BIN = fileURLToPath(new URL('../../apps/cli/bin/embedmill.js', import.meta.url));

let folder: string;
let mill: Embedmill;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'embedmill-page-'));
  mill = await Embedmill.up({ args: ['--source-dir', folder] });
});
afterAll(async () => {
  await mill?.stop();
  await rm(folder, { recursive: true, force: true });
});

interface Ended {
  code: number;
  stdout: string;
  stderr: string;
}

/** Runs a line in a shell whose `npx` runs the local build. */
async function inShell(line: string): Promise<Ended> {
  const script = `npx() { shift; ${JSON.stringify(process.execPath)} ${JSON.stringify(BIN)} "$@"; }; ${line}`;
  const env = { ...process.env, EMBEDMILL_URL: (await mill.state()).url };
  return new Promise((resolve) => {
    execFile('bash', ['-c', script], { cwd: folder, env }, (error, stdout, stderr) => {
      resolve({ code: error === null ? 0 : Number(error.code), stdout, stderr });
    });
  });
}

const book = (n: number, more: object = {}) => ({
  id: `book-${n}`,
  title: `The book ${n}`,
  text: Array.from(
    { length: 30 },
    (_, at) => `In chapter ${at} of book ${n} whale ${n * at} swims past island ${7 * at + n}.`,
  ).join(' '),
  metadata: { year: 1700 + n * 10, language: n % 2 === 0 ? 'en' : 'de' },
  ...more,
});
const named = ['moby-dick', 'walden', 'gone-1', 'gone-2'].map((id) => book(40, { id }));
const BOOKS = [...Array.from({ length: 30 }, (_, n) => book(n)), ...named];

const counted = async (collection: string) =>
  mill.json<{ name: string; documents: number; sources: { source: string | null; documents: number }[] }>(
    `/api/v1/collections/${collection}`,
  );
const isThere = async (collection: string, id: string): Promise<boolean> =>
  (await mill.call(`/api/v1/collections/${collection}/documents/${id}`)).status === 200;

/** The final state, from the API, of the job of `submit --wait` or `delete`. */
async function lastJob(): Promise<Record<string, unknown>> {
  const { jobs } = await mill.json<{ jobs: Record<string, unknown>[] }>('/api/v1/jobs?limit=1');
  return mill.finished(jobs[0] as { id: string }) as never;
}

const STEPS: [command: string, does: (ended: Ended) => Promise<void>][] = [
  ['collections create books-1 --filterable year:integer', async () => void (await counted('books-1'))],
  ['aliases set books books-1', async ({ stdout }) => expect(stdout).toContain('books stands for books-1')],
  [
    'submit books.ndjson --collection books --wait',
    async () => expect(await lastJob()).toMatchObject({ stored: BOOKS.length, skipped: 0, failed: 0 }),
  ],
  [
    'submit books.ndjson --collection books --wait',
    async () => expect(await lastJob()).toMatchObject({ stored: 0, skipped: BOOKS.length, tokens: 0 }),
  ],
  [
    'delete books moby-dick walden',
    async () => {
      expect(await lastJob()).toMatchObject({ deleted: 2 });
      expect(await isThere('books', 'moby-dick')).toBe(false);
    },
  ],
  ['delete books --ids gone.txt', async () => expect(await lastJob()).toMatchObject({ deleted: 2 })],
  [
    `delete books --filter '{"field": "year", "lt": 1800}' --dry-run`,
    async ({ stdout }) => {
      expect(stdout).toContain('10 documents would be deleted');
      expect((await counted('books')).documents).toBe(30);
    },
  ],
  [
    `delete books --filter '{"field": "year", "lt": 1800}'`,
    async () => {
      expect(await lastJob()).toMatchObject({ deleted: 10 });
      expect((await counted('books')).documents).toBe(20);
    },
  ],
  [
    'submit export.ndjson -c books --sync --source-name catalogue --wait',
    async () => {
      expect(await lastJob()).toMatchObject({ mode: 'snapshot', stored: 4, gone: 0 });
      // The next night, one of them is gone; the documents of other sources stay.
      await writeFile(join(folder, 'export.ndjson'), ndjson(CATALOGUE.slice(1)));
      await inShell('npx embedmill submit export.ndjson -c books --sync --source-name catalogue --wait');
      expect(await lastJob()).toMatchObject({ stored: 0, skipped: 3, gone: 1 });
      expect((await counted('books')).documents).toBe(23);
    },
  ],
  [
    'watch-source add handbook docs/handbook -c books --every 15m',
    async () => {
      await mill.until('it was submitted', async () =>
        (await counted('books')).sources.some(({ source }) => source === 'handbook'),
      );
      expect(await lastJob()).toMatchObject({ mode: 'snapshot', sourceName: 'handbook', stored: 1 });
    },
  ],
  [
    'collections add-field books language:keyword',
    async ({ stdout }) => {
      expect(stdout).toContain('language is filterable as keyword; 20 documents have a value');
      const filter = { field: 'language', eq: 'de' };
      const hits = await mill.search('books', { query: 'whale', limit: 20, filter, group: true });
      expect(hits.map(({ id }) => Number(id.split('-')[1]) % 2)).toEqual(Array<number>(10).fill(1));
    },
  ],
  [
    'migrate books --into books-2 --chunk-size 128 --sparse bm25,splade --wait',
    async () => {
      expect(await lastJob()).toMatchObject({ state: 'completed', stored: 24, failed: 0 });
      expect((await counted('books')).name).toBe('books-1');
    },
  ],
  [
    'migrate books --exchange',
    async () => {
      expect(await counted('books')).toMatchObject({ name: 'books-2', documents: 24 });
      expect((await counted('books-1')).documents).toBe(24);
    },
  ],
  [
    'migrate books --end',
    async () => {
      const { aliases } = await mill.json<{ aliases: Alias[] }>('/api/v1/aliases');
      expect(aliases).toEqual([{ name: 'books', collection: 'books-2' }]);
      expect((await mill.call('/api/v1/collections/books-1')).status).toBe(404);
    },
  ],
];
const CATALOGUE = Array.from({ length: 4 }, (_, n) => ({
  id: `card-${n}`,
  text: `The card of ${n} whales.`,
}));

test('the page’s commands do what the page says', async () => {
  await writeFile(join(folder, 'books.ndjson'), ndjson(BOOKS));
  await writeFile(join(folder, 'gone.txt'), 'gone-1\ngone-2\n');
  await writeFile(join(folder, 'export.ndjson'), ndjson(CATALOGUE));
  await mkdir(join(folder, 'docs/handbook'), { recursive: true });
  await writeFile(join(folder, 'docs/handbook/a.csv'), 'id,text\nintro,How the library is run.\n');

  const blocks = (await readFile(PAGE, 'utf8')).matchAll(/^```\n(.*?)^```$/gms);
  const lines = [...blocks].flatMap(([, block = '']) => block.trim().split('\n'));
  const commands = lines.map((line) => /^npx embedmill (.*?)(?:\s+#.*)?$/.exec(line)?.[1]);
  expect(commands).toEqual(STEPS.map(([command]) => command));
  for (const [n, [command, does]] of STEPS.entries()) {
    const ended = await inShell(lines[n] ?? '');
    expect(ended, `${command}: ${ended.stdout}${ended.stderr}`).toMatchObject({ code: 0 });
    await does(ended);
  }
  // The statements in its prose hold, too.
  const ended = await inShell('npx embedmill export books --to books.parquet');
  expect(ended, ended.stderr).toMatchObject({ code: 0 });
  expect((await readFile(join(folder, 'books.parquet'))).subarray(0, 4).toString()).toBe('PAR1');
  const { stdout } = await inShell('npx embedmill collections show books');
  expect(stdout).toMatch(/24 documents/);
});
