import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { DatabaseSync } from 'node:sqlite';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { Embedmill } from './embedmill.ts';

/** The snippets of docs/clients.md, run as they are, one after another, against a real embedmill. */
const ROOT = join(import.meta.dirname, '..');
const PAGE = readFileSync(join(ROOT, 'docs/clients.md'), 'utf8');
const ROWS = 2000;

let mill: Embedmill;
let url: string;
let folder: string;

beforeAll(async () => {
  // In a folder below this one, so that packages resolve as anywhere in the repository.
  folder = await mkdtemp(join(import.meta.dirname, '.embedmill-snippets-'));
  const database = new DatabaseSync(join(folder, 'shop.db'));
  database.exec('create table products (sku text, name text, body text, price real)');
  const insert = database.prepare('insert into products values (?, ?, ?, ?)');
  database.exec('begin');
  for (let n = 0; n < ROWS; n += 1) insert.run(`p${n}`, `Product ${n}`, `A thing with the number ${n}.`, n);
  database.exec('commit');
  database.close();
  mill = await Embedmill.up();
  ({ url } = await mill.state());
  await mill.json('/api/v1/collections', { name: 'products', profile: { filterable: { price: 'float' } } });
});
afterAll(async () => {
  await mill?.stop();
  await rm(folder, { recursive: true, force: true });
});

/** The TypeScript below a heading of the page. */
function snippetOf(heading: string): string {
  const section = PAGE.split(/^## /m).find((one) => one.startsWith(`${heading}\n`)) ?? '';
  const [, code] = /^```ts\n(.*?)^```$/ms.exec(section) ?? [];
  if (code === undefined) throw new Error(`there is no snippet below "${heading}"`);
  return code.replaceAll('http://127.0.0.1:7070', url);
}

/** Runs it by itself and returns what it printed. */
async function printed(heading: string, ...args: string[]): Promise<string[]> {
  const file = join(folder, `${heading.toLowerCase().replaceAll(' ', '-')}.ts`);
  await writeFile(file, snippetOf(heading));
  // Numbers are printed in colour if the environment requests it.
  const env = { ...process.env, FORCE_COLOR: '0' };
  const child = spawn(process.execPath, [file, ...args], { cwd: folder, env });
  const [out, err] = await Promise.all([text(child.stdout), text(child.stderr), once(child, 'close')]);
  expect({ code: child.exitCode, err }).toMatchObject({ code: 0 });
  return out.trimEnd().split('\n');
}

test('database rows are submitted, the job is watched to its end, and agents and LangChain find the rows', async () => {
  const [id = ''] = await printed('Submit a million rows');
  expect(id).toMatch(/^job_/);
  const watched = await printed('Watch a job', id);
  expect(watched.at(-1)).toBe(`completed: ${ROWS} of ${ROWS}`);
  const found = await printed('Search from LangChain');
  expect(found).toHaveLength(3);
  expect(found[0]).toBe('A kettle that whistles.');
  const answer = (await printed('Give it to an agent')).join('\n');
  expect(answer).toContain('kettle');
});

test('texts are embedded within one’s own process', async () => {
  expect(await printed('Embed in your own process')).toEqual(['384', '384']);
});

test('the page has no other snippets, and each is about ten lines long', () => {
  const snippets = [...PAGE.matchAll(/^```ts\n(.*?)^```$/gms)].map(([, code = '']) =>
    code.trim().split('\n'),
  );
  expect(snippets).toHaveLength(7);
  for (const lines of snippets) expect(lines.length, lines[0]).toBeLessThanOrEqual(12);
});
