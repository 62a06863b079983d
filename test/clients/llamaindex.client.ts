import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { createClient } from '@embedmill/client';
import { Embedmill } from '../embedmill.ts';
import { npmFolder, npmPackages } from './npm-packages.ts';

/** The snippets of docs/clients.md for LlamaIndex.TS, as they are, with the real package. */
const run = promisify(execFile);
const ROOT = join(import.meta.dirname, '../..');
const missing = await npmPackages('llamaindex', ['llamaindex@0.12.1', '@llamaindex/openai@0.4.23']);

let mill: Embedmill;
let url: string;
let folder: string;
beforeAll(async () => {
  // Outside node_modules, because Node does not run TypeScript there.
  folder = await mkdtemp(join(import.meta.dirname, '.embedmill-llamaindex-'));
  const packages = join(npmFolder('llamaindex'), 'node_modules');
  const own = join(packages, '@embedmill/client');
  await mkdir(join(packages, '@embedmill'), { recursive: true });
  if (!existsSync(own)) await symlink(join(ROOT, 'packages/client'), own);
  await symlink(packages, join(folder, 'node_modules'));
  mill = await Embedmill.up();
  ({ url } = await mill.state());
});
afterAll(async () => {
  await mill?.stop();
  await rm(folder, { recursive: true, force: true });
});

test('LlamaIndex.TS retrieves from a collection, and embeds for its own index', async ({ skip }) => {
  skip(missing !== undefined, missing);
  const client = createClient({ url });
  await mill.json('/api/v1/collections', { name: 'products' });
  const job = await client.submit('products', [
    { id: 'tree', text: 'Oak trees grow slowly.' },
    { id: 'kettle', text: 'A kettle that whistles.' },
  ]);
  expect(await mill.finished(job)).toMatchObject({ stored: 2 });

  const page = await readFile(join(ROOT, 'docs/clients.md'), 'utf8');
  const section = page.split(/^## /m).find((one) => one.startsWith('Search from LlamaIndex\n')) ?? '';
  for (const [n, [, code = '']] of [...section.matchAll(/^```ts\n(.*?)^```$/gms)].entries()) {
    const script = join(folder, `snippet${n}.ts`);
    await writeFile(script, code.replaceAll('http://127.0.0.1:7070', url));
    const { stdout } = await run(process.execPath, ['--conditions=development', script], { cwd: folder });
    expect(stdout).toBe('A kettle that whistles.\n');
  }
  expect(section.match(/^```ts$/gm)).toHaveLength(2);
});
