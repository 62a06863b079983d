import { spawnSync } from 'node:child_process';
import { copyFile, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import sharp from 'sharp';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Collection, Job } from '@embedmill/jobs';
import { createClient } from '@embedmill/client';
import type { Context } from '../apps/cli/src/command-host.ts';
import { readBeirFolder } from '../apps/cli/src/eval/beir-folder.ts';
import { evaluate } from '../apps/cli/src/eval/evaluation.ts';
import { Terminal } from '../apps/cli/src/terminal/terminal.ts';
import { addColoursModel } from './colours-model.ts';
import { Embedmill, ndjson, runCli } from './embedmill.ts';

/** Sparse vectors, reranking, images and migration, through every process and with real models. */
const FIXTURES = fileURLToPath(new URL('../libs/inference/fixtures', import.meta.url));
const BUNDLED = fileURLToPath(new URL('../models', import.meta.url));

let mill: Embedmill;
let folder: string;
let sources: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'embedmill-kinds-'));
  sources = join(folder, 'sources');
  await mkdir(sources);
  await addColoursModel(join(folder, 'models'));
  const reranker = join(folder, 'models', 'tiny-reranker');
  await mkdir(reranker);
  await copyFile(join(FIXTURES, 'tiny-reranker', 'model.onnx'), join(reranker, 'model.onnx'));
  await copyFile(join(BUNDLED, 'all-MiniLM-L6-v2', 'tokenizer.json'), join(reranker, 'tokenizer.json'));
  await writeFile(
    join(reranker, 'embedmill.json'),
    JSON.stringify({ kind: 'reranker', dims: 1, maxTokens: 128 }),
  );
  mill = await Embedmill.up({
    args: ['--source-dir', sources],
    env: { EMBEDMILL_MODELS_DIR: join(folder, 'models') },
  });
});
afterAll(async () => {
  await mill.stop();
  await rm(folder, { recursive: true, force: true });
});

const collection = (prefix: string, profile: object = {}) => mill.collection(prefix, profile);
const search = (name: string, query: object) => mill.search(name, query);

const TEXTS = [
  { id: 'dog', title: 'Dogs', text: 'A dog barks and guards the house at night.' },
  { id: 'hen', title: 'Hens', text: 'A hen lays eggs on the farm every morning.' },
  { id: 'carp', text: 'A carp swims in the pond behind the mill.' },
  { id: 'loan', text: 'The bank lends money at interest to its customers.' },
  { id: 'river', text: 'We sat on the bank of the river and watched the water.' },
  { id: 'zyx', text: 'Part number ZYX-4711 fits the older pump.' },
];

test('one job stores every kind of vector, and searches combine them', async () => {
  const name = await collection('kinds', { sparse: { bm25: {}, bm42: {}, splade: {} } });
  const job = await mill.finished(await mill.submit(name, ndjson(TEXTS)));
  expect(job).toMatchObject({ state: 'completed', stored: 6, failed: 0 });
  const { averageLength } = await mill.json<Collection>(`/api/v1/collections/${name}`);
  expect(averageLength).toBeGreaterThan(4);
  expect(averageLength).toBeLessThan(9);

  for (const scheme of ['bm25', 'bm42', 'splade']) {
    const [hit] = await search(name, { query: 'eggs of hens', mode: 'sparse', sparse: [scheme] });
    expect(hit, scheme).toMatchObject({ id: 'hen', scores: { [scheme]: expect.any(Number) as number } });
  }
  // A word that no model knows is found by words, but not reliably by meaning.
  const [part] = await search(name, { query: 'zyx 4711', mode: 'sparse', sparse: ['bm25'], explain: true });
  expect(part).toMatchObject({ id: 'zyx' });
  expect(part!.explanation!.map(({ term }) => term).toSorted()).toEqual(['4711', 'zyx']);

  const hybrid = await search(name, {
    query: 'who lends money',
    rerank: true,
    highlight: true,
    explain: true,
  });
  expect(hybrid[0]).toMatchObject({ id: 'loan', highlights: [{ start: 9, end: 20 }] });
  expect(Object.keys(hybrid[0]!.scores!).toSorted()).toEqual(['bm25', 'bm42', 'dense', 'rerank', 'splade']);
  expect(hybrid[0]!.explanation!.some(({ scheme, term }) => scheme === 'splade' && /[a-z]/.test(term))).toBe(
    true,
  );

  const shown = await mill.json<{ chunks: { terms: Record<string, { term: string; weight: number }[]> }[] }>(
    `/api/v1/collections/${name}/documents/hen`,
  );
  const terms = shown.chunks[0]!.terms;
  expect(terms['bm25']!.map(({ term }) => term)).toContain('hens');
  // Attention picks what the text is about, including its title.
  expect(terms['bm42']!.slice(0, 3).map(({ term }) => term)).toContain('hens');
  expect(terms['splade']!.slice(0, 10).map(({ term }) => term)).toContain('hen');
});

test('a user’s cross-encoder scores pairs through the interactive lane', async () => {
  // Its score is the sum of the token ids, with those of the text counted twice.
  const texts = ['a', 'a a', 'a a a'];
  const ranked = await mill.json<{ index: number; score: number }[]>('/rerank', {
    model: 'tiny-reranker',
    query: 'b',
    texts,
    raw_scores: true,
  });
  expect(ranked.map(({ index }) => index)).toEqual([2, 1, 0]);
  // Another "a" in the second part adds its id, 1037, twice.
  expect(ranked[0]!.score - ranked[1]!.score).toBe(2 * 1037);
  const name = await collection('judged', {});
  await mill.finished(await mill.submit(name, ndjson(TEXTS)));
  const hits = await search(name, { query: 'money', rerank: { model: 'tiny-reranker', depth: 2 } });
  expect(hits.slice(0, 2).every(({ score, scores }) => score === scores!['rerank'])).toBe(true);
});

test('token vectors are stored with their chunks, and reranking with them gives the same results as without', async () => {
  const question = { query: 'who lends money', rerank: true, limit: 6 };
  const scoresBy = async (profile: object) => {
    const name = await collection('tokens', profile);
    const job = await mill.finished(await mill.submit(name, ndjson(TEXTS)));
    expect(job).toMatchObject({ state: 'completed', stored: 6, failed: 0 });
    const hits = await search(name, question);
    return { name, scores: new Map(hits.map(({ id, scores }) => [id, scores?.['rerank'] ?? -1])) };
  };
  const { scores: computed } = await scoresBy({});
  const { name, scores: stored } = await scoresBy({ lateInteraction: { poolFactor: 1 } });
  expect(stored.size).toBe(6);
  for (const [id, score] of computed) expect(stored.get(id), id).toBeCloseTo(score, 2);
  const { scores: pooled } = await scoresBy({ lateInteraction: {} });
  expect([...pooled.keys()][0]).toBe('loan');

  // Only metadata changes: the payload is written again, and everything else stored stays.
  const edited = TEXTS.map((text) => ({ ...text, metadata: { n: 1 } }));
  expect(await mill.finished(await mill.submit(name, ndjson(edited)))).toMatchObject({
    stored: 6,
    tokens: 0,
  });
  for (const { id, scores } of await search(name, question))
    expect(scores?.['rerank']).toBe(stored.get(id) ?? NaN);
});

test('text finds images, and images find images, from data, files and URLs', async () => {
  const name = await collection('pictures', { model: 'colours', filterable: { kind: 'keyword' } });
  const square = (background: string) =>
    sharp({ create: { width: 48, height: 40, channels: 3, background } })
      .png()
      .toBuffer();
  await writeFile(join(sources, 'red.png'), await square('#f01010'));
  await mkdir(join(sources, 'inner'), { recursive: true });
  await writeFile(join(sources, 'inner', 'blue.png'), await square('#1010f0'));
  const green = `data:image/png;base64,${(await square('#10e010')).toString('base64')}`;
  const documents = [
    { id: 'red', image: 'red.png', metadata: { kind: 'file' } },
    { id: 'blue', image: 'inner/blue.png', text: 'the sea', metadata: { kind: 'file' } },
    { id: 'green', image: green, metadata: { kind: 'data' } },
    { id: 'outside', image: '../models/colours/vision_model.onnx' },
    { id: 'none', image: 'nothing.png' },
    { id: 'noise', image: 'data:image/png;base64,AAAA' },
    { id: 'local', image: 'http://127.0.0.1:9/a.png' },
  ];
  await writeFile(join(sources, 'pictures.ndjson'), ndjson(documents));
  const submitted = await mill.json<Job>(`/api/v1/collections/${name}/jobs`, {
    source: { path: 'pictures.ndjson' },
  });
  const job = await mill.finished(submitted);
  expect(job).toMatchObject({ state: 'completed', stored: 3, failed: 4 });
  const failures = await mill.reports(job, 'failures');
  expect(failures.map(({ id, code }) => [id, code])).toEqual([
    ['outside', 'image_forbidden'],
    ['none', 'image_unreadable'],
    ['noise', 'image_unreadable'],
    ['local', 'image_forbidden'],
  ]);

  for (const colour of ['red', 'green', 'blue']) {
    const [hit] = await search(name, { query: `a photo of a ${colour} car`, limit: 1 });
    expect(hit).toMatchObject({ id: colour });
  }
  const [blue] = await search(name, { query: 'blue', limit: 1 });
  expect(blue).toMatchObject({ image: 'inner/blue.png', text: 'the sea' });
  const like = `data:image/png;base64,${(await square('#20d020')).toString('base64')}`;
  const [hit] = await search(name, { image: like, limit: 1 });
  expect(hit).toMatchObject({ id: 'green', score: expect.closeTo(1, 1) as number });
  expect(hit).not.toHaveProperty('image');
});

const hasFfmpeg = spawnSync('ffmpeg', ['-version']).status === 0;

test(`a video’s frames are found, each with its time${hasFfmpeg ? '' : ' (no ffmpeg here: it says so)'}`, async () => {
  const name = await collection('videos', { model: 'colours', video: { intervalSeconds: 1 } });
  if (hasFfmpeg) {
    const filter = 'color=red:size=64x64:duration=2[a];color=blue:size=64x64:duration=2[b];[a][b]concat';
    spawnSync('ffmpeg', ['-v', 'error', '-f', 'lavfi', '-i', filter, join(sources, 'v.mp4')]);
  } else await writeFile(join(sources, 'v.mp4'), 'no video');
  await writeFile(join(sources, 'videos.ndjson'), ndjson([{ id: 'v', video: 'v.mp4' }]));
  const job = await mill.finished(
    await mill.json<Job>(`/api/v1/collections/${name}/jobs`, { source: { path: 'videos.ndjson' } }),
  );
  if (!hasFfmpeg) {
    expect(await mill.reports(job, 'failures')).toMatchObject([
      { id: 'v', code: 'video_unsupported', message: expect.stringMatching(/ffmpeg/i) as string },
    ]);
    return;
  }
  expect(job).toMatchObject({ stored: 1, chunks: 4 });
  const [hit] = await search(name, { query: 'blue', limit: 1 });
  expect(hit).toMatchObject({ id: 'v', image: 'v.mp4', chunk: { timestamp: 2, count: 4 } });
});

test('a collection of texts refuses images, one by one', async () => {
  const name = await collection('texts-only', {});
  const job = await mill.finished(
    await mill.submit(name, ndjson([{ id: 'p', image: 'data:image/png;base64,AAAA' }, TEXTS[0]!])),
  );
  expect(job).toMatchObject({ stored: 1, failed: 1 });
});

test('collections with an image model do not migrate, because images are not stored', async () => {
  const cli = async (name: string, to: string) =>
    runCli(['migrate', name, '--to', to, '--data', mill.data, '--json']);
  for (const [model, to] of [
    ['colours', 'all-MiniLM-L6-v2'],
    ['all-MiniLM-L6-v2', 'colours'],
  ] as const) {
    const { code, stderr } = await cli(await collection('pictured', { model }), to);
    expect(code).toBe(1);
    expect(stderr).toContain('colours reads images, which are not stored');
  }
});

test('a collection migrates to another model, searches switch over and back, and the migration ends', async () => {
  const name = await collection('migrating', {});
  await mill.finished(await mill.submit(name, ndjson(TEXTS)));
  const before = await search(name, { query: 'money' });
  const cli = (...args: string[]) => runCli([...args, '--data', mill.data, '--json']);

  const begun = await cli('migrate', name, '--to', 'static-minilm-256', '--wait');
  expect(begun.code, begun.stderr).toBe(0);
  expect(JSON.parse(begun.stdout)).toMatchObject({ state: 'completed', stored: 6, failed: 0 });
  expect(await search(name, { query: 'money' })).toEqual(before);
  // Documents submitted meanwhile get both vectors.
  await mill.finished(await mill.submit(name, ndjson([{ id: 'late', text: 'A purse full of coins.' }])));

  expect(JSON.parse((await cli('migrate', name, '--exchange')).stdout)).toMatchObject({
    collection: { dims: 256, profile: { model: 'static-minilm-256' }, other: { model: 'all-MiniLM-L6-v2' } },
  });
  const after = await search(name, { query: 'money', limit: 10 });
  expect(after).toHaveLength(7);
  expect(after[0]!.id).toBe('loan');
  expect(after[0]!.score).not.toBeCloseTo(before[0]!.score, 3);

  await cli('migrate', name, '--exchange');
  const back = await search(name, { query: 'money', limit: 10 });
  expect(back.filter(({ id }) => id !== 'late')).toEqual(before);
  const ended = await cli('migrate', name, '--end');
  expect(JSON.parse(ended.stdout)).toMatchObject({ collection: { dims: 384 } });
  expect(JSON.parse(ended.stdout)).not.toHaveProperty('collection.other');
  expect((await cli('migrate', name, '--exchange')).code).toBe(1);
  expect(await search(name, { query: 'money', limit: 10 })).toEqual(back);
});

test('documents of a job that began before the migration get both vectors, even if searches switch over meanwhile', async () => {
  const name = await collection('overtaken', {});
  const documents = Array.from({ length: 3000 }, (_, n) => ({
    id: `d${n}`,
    text: `Note ${n}: the mill on the river ground ${n % 97} sacks of corn.`,
  }));
  const submitted = await mill.submit(name, ndjson(documents));
  const cli = (...args: string[]) => runCli([...args, '--data', mill.data, '--json']);
  const begun = await cli('migrate', name, '--to', 'static-minilm-256', '--wait');
  expect(begun.code, begun.stderr).toBe(0);
  // It is refused while points lack the vector, and no longer.
  let exchanged = await cli('migrate', name, '--exchange');
  for (const deadline = Date.now() + 120_000; exchanged.code !== 0 && Date.now() < deadline;) {
    expect(exchanged.stderr).toContain('lack');
    exchanged = await cli('migrate', name, '--exchange');
  }
  expect(exchanged.code, exchanged.stderr).toBe(0);
  expect(await mill.finished(submitted)).toMatchObject({ state: 'completed', stored: 3000, failed: 0 });
  for (const step of ['--exchange', '--exchange', '--end']) {
    const { code, stderr } = await cli('migrate', name, step);
    expect(code, stderr).toBe(0);
  }
  const view = await mill.json<Collection & { points: number }>(`/api/v1/collections/${name}`);
  expect(view).toMatchObject({ points: 3000, dims: 256 });
});

test('a collection’s map is drawn as SVG, coloured by a field', async () => {
  const name = await collection('drawn', {});
  const documents = Array.from({ length: 40 }, (_, n) => ({
    id: `d${n}`,
    text: n % 2 === 0 ? `cats and dogs number ${n}` : `rivers and lakes number ${n}`,
    metadata: { topic: n % 2 === 0 ? 'pets' : 'water <&>' },
  }));
  await mill.finished(await mill.submit(name, ndjson(documents)));
  const out = join(folder, 'map.svg');
  for (const method of ['umap', 'pca']) {
    const { code, stderr } = await runCli([
      ...['map', name, '--color', 'topic', '--method', method, '-o', out, '--data', mill.data],
    ]);
    expect(code, stderr).toBe(0);
    // sharp can read the SVG, so it is well formed.
    const { data, info } = await sharp(out).resize(300).raw().toBuffer({ resolveWithObject: true });
    const colours = new Set<string>();
    for (let at = 0; at < data.length; at += info.channels)
      colours.add(data.subarray(at, at + 3).toString('hex'));
    expect(colours.size).toBeGreaterThan(10);
  }
  const missing = await runCli(['map', name, '--color', 'none', '--data', mill.data]);
  expect(missing.code).toBe(1);
  expect(missing.stderr).toContain('none');
});

test('evaluating a small BEIR folder gives the measures of each mode', async () => {
  const beir = await smallBeirFolder('beir');
  const { code, stdout, stderr } = await runCli(['eval', beir, '--json', '--data', mill.data]);
  expect(code, stderr).toBe(0);
  const { runs, documents } = JSON.parse(stdout) as {
    documents: number;
    runs: { mode: string; ndcg10: number; recall100: number; mrr: number }[];
  };
  expect(documents).toBe(6);
  expect(runs.map(({ mode }) => mode)).toContain('rerank');
  for (const { mode, ndcg10, recall100, mrr } of runs) {
    expect(recall100, mode).toBe(1);
    expect(mrr, mode).toBeGreaterThan(0.6);
    expect(ndcg10, mode).toBeGreaterThan(0.6);
  }
  expect((await runCli(['eval', folder])).stderr).toContain('corpus.jsonl');
});

test('an evaluation survives queries that are not answered in time', async () => {
  /** Kept as a connection would: nothing else holds a request that is never answered, nor its timeout. */
  const unanswered: Request[] = [];
  /** The first queries are never answered. */
  const slowFetch = async (request: Request): Promise<Response> => {
    if (!request.url.endsWith('/search') || unanswered.length === 4) return fetch(request);
    unanswered.push(request);
    return new Promise((_resolve, reject) => {
      request.signal.addEventListener('abort', () => reject(request.signal.reason as Error));
    });
  };
  const silent = { write: () => true };
  const terminal = new Terminal(silent, silent, { json: true, noColor: true });
  const context = { terminal } as Context;
  const client = createClient({
    url: (await mill.state()).url,
    fetch: slowFetch,
    answerMs: 3000,
    pausesMs: [10, 10],
  });
  const beir = await readBeirFolder(await smallBeirFolder('beir-slow'), 'test');
  const { documents, runs } = await evaluate(context, client, beir, {
    model: 'static-minilm-256',
    language: undefined,
    modes: ['dense', 'bm25'],
    chunking: true,
    chunkSize: undefined,
    overlap: undefined,
    boundaries: [],
    join: 1,
    lateInteraction: undefined,
  });
  expect(unanswered).toHaveLength(4);
  expect(documents).toBe(6);
  expect(runs.map(({ mode, recall100 }) => ({ mode, recall100 }))).toEqual([
    { mode: 'dense', recall100: 1 },
    { mode: 'bm25', recall100: 1 },
  ]);
});

async function smallBeirFolder(name: string): Promise<string> {
  const beir = join(folder, name);
  await mkdir(join(beir, 'qrels'), { recursive: true });
  await writeFile(
    join(beir, 'corpus.jsonl'),
    ndjson(TEXTS.map(({ id, title = '', text }) => ({ _id: id, title, text }))),
  );
  await writeFile(
    join(beir, 'queries.jsonl'),
    ndjson([
      { _id: 'q1', text: 'hen eggs' },
      { _id: 'q2', text: 'lending' },
    ]),
  );
  await writeFile(join(beir, 'qrels', 'test.tsv'), 'query-id\tcorpus-id\tscore\nq1\then\t1\nq2\tloan\t2\n');
  return beir;
}
