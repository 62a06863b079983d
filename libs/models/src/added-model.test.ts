import { cp, mkdtemp, readFile, readlink, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { addModel, assertNameIsFree, readModelAt, resolveFound } from './added-model.ts';
import { REVISION, sha256, startFakeHub, type FakeHub } from './fake-hub.ts';
import { findModel } from './models.ts';
import type { ResolveOptions } from './resolve.ts';

const PROJECTED = fileURLToPath(new URL('../../inference/fixtures/tiny-exports/projected', import.meta.url));
const JSONS = {
  'modules.json': [
    { idx: 0, name: '0', path: '', type: 'sentence_transformers.models.Transformer' },
    { idx: 1, name: '1', path: '1_Pooling', type: 'sentence_transformers.models.Pooling' },
    { idx: 2, name: '2', path: '2_Normalize', type: 'sentence_transformers.models.Normalize' },
  ],
  '1_Pooling/config.json': { word_embedding_dimension: 384, pooling_mode_lasttoken: true },
  'config.json': { hidden_size: 384, max_position_embeddings: 4096, pad_token_id: 3 },
  'tokenizer_config.json': { padding_side: 'left' },
  'config_sentence_transformers.json': { prompts: { query: 'Query: ', document: '' } },
  'sentence_bert_config.json': { max_seq_length: 512 },
};
const LAYOUT = Object.fromEntries(
  Object.entries(JSONS).map(([path, value]) => [path, Buffer.from(JSON.stringify(value))]),
);
const GRAPH = new Uint8Array(1_200_000).fill(1);
const WEIGHTS = new Uint8Array(1_300_000).fill(2);
const FILES = {
  ...LAYOUT,
  'tokenizer.json': Buffer.from('{}'),
  'onnx/model.onnx': GRAPH,
  'onnx/model.onnx_data': WEIGHTS,
  'onnx/model_fp16.onnx': GRAPH,
  'README.md': Buffer.from('words'),
};

let folder: string;
let modelsDir: string;
let hub: FakeHub | undefined;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'embedmill-added-'));
  modelsDir = join(folder, 'own');
});
afterEach(async () => {
  await hub?.close();
  hub = undefined;
  await rm(folder, { recursive: true, force: true });
});

async function withHub(files: Record<string, Uint8Array>): Promise<ResolveOptions & { modelsDir: string }> {
  hub = await startFakeHub(files);
  return { modelsDir, cacheDir: join(folder, 'cache'), hubUrl: hub.url, hubToken: 'secret' };
}
const mine = { kind: 'hub', repository: 'me/mine' } as const;

test('a repository’s entry is read from its files, at the commit that its branch stands for', async () => {
  const options = await withHub(FILES);
  const { entry } = await readModelAt({ ...mine, revision: 'v1' }, {}, options);
  expect(entry).toMatchObject({
    name: 'mine',
    kind: 'dense',
    source: { kind: 'hub', repository: 'me/mine', revision: REVISION },
    license: 'mit',
    dims: 384,
    pooling: 'last',
    padding: 'left',
    normalize: true,
    maxTokens: 512,
    padTokenId: 3,
    queryPrefix: 'Query: ',
    prompts: { query: 'Query: ', document: '' },
    model: { path: 'onnx/model.onnx', sha256: sha256(GRAPH) },
    data: [{ path: 'onnx/model.onnx_data', sha256: sha256(WEIGHTS), bytes: WEIGHTS.length }],
    tokenizer: { path: 'tokenizer.json' },
  });
  const asked = hub!.requests.map(({ path }) => path);
  expect(asked.filter((path) => /onnx|README/.test(path))).toEqual([]);
  expect(hub!.requests.every(({ authorization }) => authorization === 'Bearer secret')).toBe(true);
});

test('what the files do not say may be said, and goes before them', async () => {
  const isKept = (path: string): boolean => !/^sentence_bert|^1_Pooling/.test(path);
  const files = Object.fromEntries(Object.entries(FILES).filter(([path]) => isKept(path)));
  const options = await withHub(files);
  const said = { pooling: 'cls', maxTokens: 64, dims: 32 } as const;
  const { entry } = await readModelAt(mine, { name: 'other', said }, options);
  expect(entry).toMatchObject({ name: 'other', pooling: 'cls', maxTokens: 64, dims: 32 });
});

test.each([
  ['no ONNX file', LAYOUT, {}, /me\/mine has no ONNX file, .*optimum-cli/],
  [
    'several of them, none of the usual name',
    { ...LAYOUT, 'a.onnx': GRAPH, 'b.onnx': GRAPH },
    {},
    /has these ONNX files: a\.onnx, b\.onnx; name one/,
  ],
  ['none of the name that is asked for', FILES, { file: 'onnx/q.onnx' }, /onnx\/model_fp16\.onnx; name one/],
  ['no tokenizer', { ...LAYOUT, 'model.onnx': GRAPH }, {}, /has no tokenizer\.json/],
])('a repository with %s is refused', async (_what, files, wish, message) => {
  const options = await withHub(files);
  await expect(readModelAt(mine, wish, options)).rejects.toMatchObject({
    code: 'model_unavailable',
    message: expect.stringMatching(message) as string,
  });
});

test.each([
  [403, /gated; accept its terms there, and set HF_TOKEN/],
  [404, /there is no me\/mine, or not this revision of it/],
  [502, /it answers 502/],
])('the hub’s %i is told', async (status, message) => {
  const options = await withHub(FILES);
  hub!.next.push((_request, response) => void response.writeHead(status).end());
  await expect(readModelAt(mine, {}, options)).rejects.toThrow(message);
});

test('a folder is read where it lies, and linked when it is added', async () => {
  const at = join(folder, 'elsewhere');
  await cp(PROJECTED, at, { recursive: true });
  const options = { modelsDir, cacheDir: folder };
  const found = await readModelAt({ kind: 'folder', path: at }, { name: 'mine' }, options);
  expect(found).toMatchObject({ entry: { name: 'mine', pooling: 'mean' }, linkedTo: at });
  expect((await resolveFound(found, options)).modelPath).toBe(join(at, 'model.onnx'));
  await expect(findModel('mine', options).catch(() => undefined)).resolves.toBeUndefined();

  await addModel(found, modelsDir);
  await addModel(found, modelsDir);
  expect(await readlink(join(modelsDir, 'mine'))).toBe(at);
  expect(await findModel('mine', options)).toEqual(found.entry);
});

test('a name that is another model’s is refused, and models.json stays as it is', async () => {
  const options = await withHub(FILES);
  const found = await readModelAt(mine, {}, options);
  const path = await addModel(found, modelsDir);
  const again = await readModelAt(mine, { file: 'onnx/model_fp16.onnx' }, options);
  await addModel(again, modelsDir);
  const kept = await readFile(path, 'utf8');
  expect(JSON.parse(kept)).toEqual([again.entry]);

  const other = await readModelAt({ kind: 'hub', repository: 'you/mine' }, {}, options);
  const ofRegistry = await readModelAt(mine, { name: 'bge-m3' }, options);
  for (const taken of [other, ofRegistry]) {
    await expect(assertNameIsFree(taken, modelsDir)).rejects.toThrow(
      /the model (mine|bge-m3) already exists/,
    );
    await expect(addModel(taken, modelsDir)).rejects.toMatchObject({ code: 'model_unavailable' });
  }
  expect(await readFile(path, 'utf8')).toBe(kept);

  await writeFile(path, '{"no": "list"}');
  await expect(addModel(found, modelsDir)).rejects.toThrow(/models\.json is not a list of models/);
});
