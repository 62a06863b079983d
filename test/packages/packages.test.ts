import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { copyFile, readdir, readFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { promisify } from 'node:util';
import { afterEach, beforeAll, expect, test } from 'vitest';
import { EmptyProject, plainNodes, type PlainNode } from './empty-project.ts';

/** Each package as packed, installed into an empty folder and tested with plain Nodes, away from the repository. */
const ROOT = join(import.meta.dirname, '../..');
const PACKED = join(ROOT, 'dist/packages');
const nodes = await plainNodes();
const { devDependencies } = JSON.parse(
  await readFile(join(ROOT, 'packages/langchain/package.json'), 'utf8'),
) as { devDependencies: Record<string, string> };
const LANGCHAIN_VERSION = devDependencies['@langchain/core'];

let archives: string[];
beforeAll(async () => {
  await promisify(execFile)(process.execPath, ['pack.mjs'], { cwd: ROOT });
  archives = (await readdir(PACKED)).filter((name) => name.endsWith('.tgz'));
});

const cleanups: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

function archiveOf(name: string): string {
  const archive = archives.find((one) => new RegExp(`^${name}-\\d`).test(one));
  return join(PACKED, archive ?? `${name} is not packed`);
}

async function emptyProject(node: PlainNode): Promise<EmptyProject> {
  const project = await EmptyProject.create(node);
  cleanups.push(() => project.remove());
  return project;
}

async function installed(node: PlainNode, ...packages: string[]): Promise<EmptyProject> {
  const project = await emptyProject(node);
  await project.install(...packages);
  return project;
}

const ESM = `
import { createEmbedder, embed, embedOne } from '@embedmill/embed';
const options = { cacheFolder: 'cache', threads: 1 };
const texts = Array.from({ length: 300 }, (_, n) => 'a whale '.repeat(1 + (n % 9)) + n);
const vectors = [];
for await (const group of embed(texts, options)) vectors.push(...group);
for await (const group of embed(texts, { ...options, group: 10 })) break;
const embedder = await createEmbedder(options);
const alone = await embedder.embedOne(texts[299]);
await embedder.close();
const cosine = alone.reduce((sum, value, d) => sum + value * vectors[299][d], 0);
const refused = await embedOne('a', { model: 'multilingual-e5-small-int8' }).catch(({ code }) => code);
console.log(JSON.stringify({ count: vectors.length, dims: alone.length, same: cosine > 0.99999, refused }));
`;
const COMMON_JS = `
const { embed, embedOne } = require('@embedmill/embed');
(async () => {
  const { length } = await embedOne('good morning', { cacheFolder: 'cache', threads: 1, role: 'query' });
  let count = 0;
  for await (const group of embed(['a', 'b', 'c'], { cacheFolder: 'cache', threads: 1 })) count += group.length;
  console.log(JSON.stringify({ length, count }));
})();
`;
const TYPES = `
import { createEmbedder, embed, type Embedder, type StreamOptions } from '@embedmill/embed';
const options: StreamOptions = { role: 'query', signal: AbortSignal.timeout(1000) };
export async function first(texts: AsyncIterable<string>): Promise<number | undefined> {
  const embedder: Embedder = await createEmbedder({ threads: 1 });
  for await (const vectors of embed(texts, options)) return vectors[0]?.[0];
  // @ts-expect-error: there is no such role
  await embedder.embedOne('a', { role: 'both' });
  return embedder.dims;
}
`;

test.each(nodes)(
  '@embedmill/embed on Node $major: import, require and types work, and no process is left',
  async (node) => {
    const project = await installed(node, archiveOf('embedmill-embed'));
    await project.write('esm.mjs', ESM);
    // This returns only if nothing that was left open keeps the process alive.
    expect(JSON.parse(await project.node('esm.mjs'))).toEqual({
      count: 300,
      dims: 384,
      same: true,
      refused: 'model_unavailable',
    });
    await project.write('common.cjs', COMMON_JS);
    expect(JSON.parse(await project.node('common.cjs'))).toEqual({ length: 384, count: 3 });
    await project.write('types.mts', TYPES);
    await project.write('types.cts', TYPES);
    await project.compile(['types.mts', 'types.cts']);
  },
);

test.skipIf(!existsSync(join(ROOT, 'packages/client'))).each(nodes)(
  '@embedmill/client on Node $major: import, require and types work',
  async (node) => {
    const project = await installed(node, archiveOf('embedmill-client'));
    await project.write('esm.mjs', "console.log(Object.keys(await import('@embedmill/client')).join());");
    const exported = await project.node('esm.mjs');
    expect(exported.trim()).not.toBe('');
    await project.write('common.cjs', "console.log(Object.keys(require('@embedmill/client')).join());");
    expect(await project.node('common.cjs')).toBe(exported);
    await project.write('types.mts', "export * from '@embedmill/client';\n");
    await project.compile(['types.mts']);
  },
);

const LANGCHAIN = `
import { createClient } from '@embedmill/client';
import { EmbedmillEmbeddings, EmbedmillVectorStore } from '@embedmill/langchain';
import { VectorStore } from '@langchain/core/vectorstores';
const client = createClient({ url: 'http://127.0.0.1:9' });
const store = new EmbedmillVectorStore(new EmbedmillEmbeddings({ client }), { client, collection: 'books' });
const failed = await store.similaritySearch('whales', 1).catch(({ code }) => code);
console.log(JSON.stringify({ isStore: store instanceof VectorStore, failed, embeddings: typeof EmbedmillEmbeddings }));
`;

test.each(nodes)(
  '@embedmill/langchain on Node $major, with the client and LangChain: import and types work',
  async (node) => {
    const core = `@langchain/core@${LANGCHAIN_VERSION}`;
    const project = await installed(
      node,
      archiveOf('embedmill-client'),
      archiveOf('embedmill-langchain'),
      core,
    );
    await project.write('esm.mjs', LANGCHAIN);
    expect(JSON.parse(await project.node('esm.mjs'))).toEqual({
      isStore: true,
      failed: 'unreachable',
      embeddings: 'function',
    });
    await project.write('types.mts', "export * from '@embedmill/langchain';\n");
    // LangChain's own types do not comply otherwise.
    await project.compile(['types.mts'], { exactOptionalPropertyTypes: false });
  },
);

interface UpState {
  pid: number;
  url: string;
  processes: Record<string, number | null>;
}

function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}

/** Starts `up` in one of the ways to start embedmill; it is ended as by Ctrl-C. */
async function startedUp(project: EmptyProject, command: string, ...args: string[]) {
  const up = spawn(command, [...args, 'up', '--data', 'data', '--port', '0'], {
    cwd: project.folder,
    env: { ...project.environment, EMBEDMILL_WORKER_PORT: '0' },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let output = '';
  for (const stream of [up.stdout, up.stderr])
    stream.on('data', (chunk: Buffer) => (output += chunk.toString()));
  const exited = once(up, 'exit');
  cleanups.push(async () => {
    if (up.exitCode === null) up.kill('SIGTERM');
    await exited;
  });
  const state = await readyState(join(project.folder, 'data/up.json'), () => output);
  const end = async (): Promise<void> => {
    process.kill(state.pid, 'SIGINT');
    expect(await exited).toEqual([130, null]);
    const pids = [state.pid, ...Object.values(state.processes)].filter((pid) => pid !== null);
    expect(pids.filter(isAlive)).toEqual([]);
  };
  return { state, end };
}

test.each(nodes)('embedmill on Node $major: up, a job, a search, and a clean end', async (node) => {
  const project = await installed(node, archiveOf('embedmill'));
  const embedmill = (...args: string[]) =>
    project.command('npx', '--no', 'embedmill', ...args, '--data', 'data');
  expect(await project.command('npx', '--no', 'embedmill', '--version')).toMatch(/^\d+\.\d+\.\d+/);
  const { state, end } = await startedUp(project, join(project.folder, 'node_modules/.bin/embedmill'));

  await embedmill('collections', 'create', 'books');
  await project.write(
    'books.ndjson',
    '{"id":"a","text":"Call me Ishmael."}\n{"id":"b","text":"The price of copper rose."}\n',
  );
  const report = await embedmill('submit', 'books.ndjson', '--collection', 'books', '--wait', '--json');
  expect(JSON.parse(report)).toMatchObject({ state: 'completed', stored: 2 });
  const found = await embedmill('search', 'books', 'metals and their cost', '--json');
  expect(JSON.parse(found)).toMatchObject({ hits: [{ id: 'b' }, { id: 'a' }] });
  if (existsSync(join(PACKED, 'embedmill/apps/console/dist/index.html')))
    expect((await fetch(new URL('/console/', state.url))).status).toBe(200);
  await end();
});

test.each(nodes)('npx ./embedmill-X.tgz up in an empty folder, on Node $major', async (node) => {
  const project = await emptyProject(node);
  const archive = `./${basename(archiveOf('embedmill'))}`;
  await copyFile(archiveOf('embedmill'), join(project.folder, archive));
  const { state, end } = await startedUp(project, 'npx', '--yes', '--ignore-scripts', archive);
  expect((await fetch(new URL('/readyz', state.url))).status).toBe(200);
  await end();
});

test.each(nodes)('npm i -g, and embedmill up in an empty folder, on Node $major', async (node) => {
  const project = await emptyProject(node);
  const prefix = join(project.folder, 'prefix');
  await project.install('--global', '--prefix', prefix, archiveOf('embedmill'));
  const { state, end } = await startedUp(project, join(prefix, 'bin/embedmill'));
  expect((await fetch(new URL('/readyz', state.url))).status).toBe(200);
  await end();
});

async function readyState(path: string, output: () => string): Promise<UpState> {
  for (const deadline = Date.now() + 180_000; ; await setTimeout(100)) {
    if (existsSync(path)) return JSON.parse(await readFile(path, 'utf8')) as UpState;
    if (Date.now() > deadline) throw new Error(`up was not ready within 180 s:\n${output()}`);
  }
}

test('embedmill is one archive with its models, and no sources', async () => {
  const archive = archives.find((name) => /^embedmill-\d/.test(name)) ?? '';
  const { stdout } = await promisify(execFile)('tar', ['-tzf', join(PACKED, archive)]);
  const files = stdout.trim().split('\n');
  expect(files).toContain('package/models/all-MiniLM-L6-v2/model_int8.onnx');
  expect(files).toContain('package/models/multilingual-e5-small-int8/NOTICE.md');
  expect(files).toContain('package/LICENSE');
  expect(files.filter((path) => path.endsWith('.ts') || path.endsWith('.map'))).toEqual([]);
});
