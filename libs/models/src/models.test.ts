import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { modelEntrySchema } from './entry.ts';
import { findModel, layersOf, listModels, type ModelFolders } from './models.ts';
import { REGISTRY } from './registry.ts';
import { resolveModel } from './resolve.ts';

const ROOT = resolve(import.meta.dirname, '../../..');
const SHARED = join(resolve(ROOT, process.env['EMBEDMILL_SHARED'] ?? '../shared'), 'models');

let modelsDir: string;
let folders: ModelFolders;
beforeEach(async () => {
  modelsDir = await mkdtemp(join(tmpdir(), 'embedmill-registry-'));
  folders = { modelsDir, cacheDir: join(modelsDir, '.cache') };
});
afterEach(() => rm(modelsDir, { recursive: true, force: true }));

async function put(files: Record<string, unknown>): Promise<void> {
  for (const [path, content] of Object.entries(files)) {
    await mkdir(dirname(join(modelsDir, path)), { recursive: true });
    await writeFile(join(modelsDir, path), JSON.stringify(content));
  }
}

/** The files that sentence-transformers writes, with placeholders for the large ones. */
const LAYOUT = {
  'own/modules.json': ['Transformer', 'Pooling', 'Normalize'].map((kind, n) => ({
    idx: n,
    path: n === 1 ? '1_Pooling' : '',
    type: `sentence_transformers.models.${kind}`,
  })),
  'own/1_Pooling/config.json': { word_embedding_dimension: 24, pooling_mode_cls_token: true },
  'own/sentence_bert_config.json': { max_seq_length: 128 },
  'own/config.json': {
    hidden_size: 24,
    pad_token_id: 1,
    max_position_embeddings: 514,
    model_type: 'roberta',
  },
  'own/config_sentence_transformers.json': { prompts: { query: 'query: ', passage: 'passage: ' } },
  'own/onnx/model.onnx': 'a stand-in',
  'own/tokenizer.json': 'a stand-in',
};

test('every entry of the registry is pinned: a commit of the hub, or digests of bundled files', () => {
  expect(new Set(REGISTRY.map(({ name }) => name)).size).toBe(REGISTRY.length);
  for (const entry of REGISTRY) {
    expect(entry.model.sha256, entry.name).toMatch(/^[0-9a-f]{64}$/);
    for (const file of [...entry.data, ...layersOf(entry)])
      expect(file.sha256, entry.name).toMatch(/^[0-9a-f]{64}$/);
    if (entry.source.kind === 'bundled') expect(entry.tokenizer.sha256, entry.name).toBeDefined();
    else
      expect(entry.source).toMatchObject({
        kind: 'hub',
        revision: expect.stringMatching(/^[0-9a-f]{40}$/) as string,
      });
  }
});

const valid = {
  name: 'mine',
  dims: 8,
  pooling: 'mean',
  maxTokens: 64,
  model: { path: 'model.onnx' },
  source: { kind: 'hub', repository: 'me/mine', revision: 'a'.repeat(40) },
  license: 'mit',
};
test.each([
  ['a branch instead of a commit', { source: { ...valid.source, revision: 'main' } }],
  ['a path that leads out', { model: { path: '../model.onnx' } }],
  ['a path that leads out further in', { model: { path: 'onnx/../../model.onnx' } }],
  ['an absolute path', { model: { path: '/etc/passwd' } }],
  ['a Windows path', { model: { path: 'onnx\\model.onnx' } }],
  ['a repository that leads out', { source: { ...valid.source, repository: '../../x' } }],
  ['a name that is a path', { name: 'a/b' }],
  ['a folder that leads out', { source: { kind: 'local', folder: '..' } }],
  ['a field of its own', { colour: 'red' }],
])('an entry with %s is refused', (_name, changes) => {
  expect(modelEntrySchema.safeParse(valid).success).toBe(true);
  expect(modelEntrySchema.safeParse({ ...valid, ...changes }).success).toBe(false);
});

test('models.json adds models, and replaces those of the registry', async () => {
  await put({ 'models.json': [valid, { ...valid, name: 'bge-small-en-v1.5', dims: 9 }] });
  expect(await findModel('mine', folders)).toMatchObject({ dims: 8, batchInvariant: true, queryPrefix: '' });
  expect(await findModel('bge-small-en-v1.5', folders)).toMatchObject({ dims: 9 });
  await put({ 'models.json': [{ ...valid, dims: 'many' }] });
  await expect(findModel('mine', folders)).rejects.toMatchObject({
    code: 'model_unavailable',
    message: expect.stringContaining('dims') as string,
  });
});

test('a folder in the layout of sentence-transformers is a model', async () => {
  await put(LAYOUT);
  expect(await findModel('own', folders)).toMatchObject({
    name: 'own',
    dims: 24,
    pooling: 'cls',
    normalize: true,
    maxTokens: 128,
    padTokenId: 1,
    queryPrefix: 'query: ',
    documentPrefix: 'passage: ',
    model: { path: 'onnx/model.onnx' },
    license: 'unknown',
  });
  const model = await resolveModel('own', folders);
  expect(model.modelPath).toBe(join(modelsDir, 'own/onnx/model.onnx'));
  expect(model.revision).toBe(`sha256:${model.sha256}`);
});

test('a folder without a pooling is of the kind that its architecture says', async () => {
  const config = { vocab_size: 99, hidden_size: 24, max_position_embeddings: 64 };
  const classifier = { ...config, architectures: ['BertForSequenceClassification'] };
  await put({
    'terms/config.json': { ...config, architectures: ['BertForMaskedLM'] },
    'pairs/config.json': { ...classifier, id2label: { 0: 'LABEL_0' } },
    'labels/config.json': { ...classifier, id2label: { 0: 'no', 1: 'yes' } },
    'told/config.json': config,
    'told/embedmill.json': { kind: 'reranker' },
    ...LAYOUT,
    'own/config.json': { ...config, architectures: ['BertForMaskedLM'] },
  });
  expect(await findModel('terms', folders)).toMatchObject({ kind: 'sparse', dims: 99, maxTokens: 64 });
  expect(await findModel('pairs', folders)).toMatchObject({ kind: 'reranker', dims: 1 });
  expect(await findModel('told', folders)).toMatchObject({ kind: 'reranker', dims: 1 });
  expect(await findModel('own', folders)).toMatchObject({ kind: 'dense', dims: 24, pooling: 'cls' });
  await expect(findModel('labels', folders)).rejects.toMatchObject({
    code: 'model_unavailable',
    message: expect.stringContaining('pooling') as string,
  });
});

test('a folder of a sparse encoder of sentence-transformers is a sparse model', async () => {
  const modules = ['models.MLMTransformer', 'models.SpladePooling'].map((type, idx) => ({
    idx,
    path: idx === 1 ? '1_SpladePooling' : '',
    type: `sentence_transformers.sparse_encoder.${type}`,
  }));
  await put({
    'splade/modules.json': modules,
    'splade/1_SpladePooling/config.json': { pooling_strategy: 'max' },
    'splade/config.json': { vocab_size: 99, max_position_embeddings: 64 },
  });
  expect(await findModel('splade', folders)).toMatchObject({ kind: 'sparse', dims: 99 });
});

test('only dense models pool, and all of them', () => {
  const { pooling, ...rest } = valid;
  expect(modelEntrySchema.safeParse(rest).success).toBe(false);
  for (const kind of ['sparse', 'reranker']) {
    expect(modelEntrySchema.safeParse({ ...rest, kind }).success).toBe(true);
    expect(modelEntrySchema.safeParse({ ...rest, kind, pooling }).success).toBe(false);
  }
});

test('embedmill.json goes before what the other files say', async () => {
  await put({
    ...LAYOUT,
    'own/embedmill.json': { pooling: 'mean', maxTokens: 512, license: 'mit', queryPrefix: '' },
  });
  const entry = await findModel('own', folders);
  expect(entry).toMatchObject({ pooling: 'mean', maxTokens: 512, license: 'mit', queryPrefix: '', dims: 24 });
});

test('embedmill.json counts in a folder that is named like an entry of the registry, too', async () => {
  await put({
    'bge-small-en-v1.5/model.onnx': 'a stand-in',
    'bge-small-en-v1.5/tokenizer.json': 'a stand-in',
  });
  const plain = await findModel('bge-small-en-v1.5', folders);
  expect(plain).toMatchObject({ maxTokens: 512, source: { kind: 'hub' } });
  await put({ 'bge-small-en-v1.5/embedmill.json': { maxTokens: 128, queryPrefix: 'mine: ' } });
  expect(await findModel('bge-small-en-v1.5', folders)).toMatchObject({
    dims: 384,
    pooling: 'cls',
    maxTokens: 128,
    queryPrefix: 'mine: ',
    source: { kind: 'local' },
  });
  const { modelPath, tokenizerPath } = await resolveModel('bge-small-en-v1.5', folders);
  expect([modelPath, tokenizerPath]).toEqual(
    ['model.onnx', 'tokenizer.json'].map((file) => join(modelsDir, 'bge-small-en-v1.5', file)),
  );
  await put({ 'bge-small-en-v1.5/embedmill.json': { maxTokens: 'many' } });
  await expect(findModel('bge-small-en-v1.5', folders)).rejects.toMatchObject({
    code: 'model_unavailable',
    message: expect.stringContaining('embedmill.json') as string,
  });
});

test('the list says which models are bundled, which in the models folder', async () => {
  await put({
    ...LAYOUT,
    'bge-small-en-v1.5/model.onnx': 'a stand-in',
    'bge-small-en-v1.5/tokenizer.json': 'a stand-in',
  });
  const listed = await listModels(folders);
  const of = (name: string) => listed.find((model) => model.name === name);
  expect(of('multilingual-e5-small-int8')).toMatchObject({ bundled: true, local: false, available: true });
  expect(of('own')).toMatchObject({ bundled: false, local: true, available: true });
  expect(of('bge-small-en-v1.5')).toMatchObject({ bundled: false, local: true, available: true });
  expect(of('bge-base-en-v1.5')).toMatchObject({ bundled: false, local: false, available: false });
});

test('a decoder with Dense modules is read from its folder, and its layers count in its revision', async () => {
  const modules = ['Transformer', 'Pooling', 'Dense', 'Dense', 'Normalize'];
  const dense = (activation: string, out: number) => ({
    activation_function: `torch.nn.modules.${activation}`,
    out_features: out,
  });
  await put({
    ...LAYOUT,
    'own/modules.json': modules.map((kind, idx) => ({
      idx,
      path: idx === 0 ? '' : `${idx}_${kind}`,
      type: `sentence_transformers.models.${kind}`,
    })),
    'own/1_Pooling/config.json': { word_embedding_dimension: 24, pooling_mode_lasttoken: true },
    'own/2_Dense/config.json': dense('linear.Identity', 48),
    'own/2_Dense/model.safetensors': 'a stand-in',
    'own/3_Dense/config.json': dense('activation.Tanh', 12),
    'own/3_Dense/model.safetensors': 'a stand-in',
    'own/tokenizer_config.json': { padding_side: 'left' },
    'own/config_sentence_transformers.json': { prompts: { query: 'query: ', STS: 'task: ' } },
  });
  expect(await findModel('own', folders)).toMatchObject({
    pooling: 'last',
    padding: 'left',
    dims: 12,
    queryPrefix: 'query: ',
    documentPrefix: '',
    prompts: { query: 'query: ', STS: 'task: ' },
    projections: [
      { weights: { path: '2_Dense/model.safetensors' }, activation: 'identity' },
      { weights: { path: '3_Dense/model.safetensors' }, activation: 'tanh' },
    ],
  });
  const { revision, sha256 } = await resolveModel('own', folders);
  expect(revision).not.toBe(`sha256:${sha256}`);
  await put({ 'own/3_Dense/model.safetensors': 'other weights' });
  expect((await resolveModel('own', folders)).revision).not.toBe(revision);
  await put({ 'own/embedmill.json': { pooling: 'graph' } });
  expect(await findModel('own', folders)).toMatchObject({ pooling: 'graph', projections: [], dims: 12 });
});

test('a folder whose graph has adapters says which are for questions and documents, and leaves prompts of others out', async () => {
  const prompts = {
    'retrieval.query': 'ask: ',
    'retrieval.passage': 'read: ',
    separation: '',
    STS: 'alike: ',
  };
  await put({
    ...LAYOUT,
    'own/config.json': {
      hidden_size: 24,
      max_position_embeddings: 64,
      lora_adaptations: ['separation', 'retrieval.passage', 'retrieval.query'],
    },
    'own/config_sentence_transformers.json': { prompts },
  });
  expect(await findModel('own', folders)).toMatchObject({
    adapters: { input: 'task_id', query: 2, document: 1 },
    queryPrefix: 'ask: ',
    documentPrefix: 'read: ',
    prompts: { 'retrieval.query': 'ask: ', 'retrieval.passage': 'read: ', STS: 'alike: ' },
  });
  await put({ 'own/embedmill.json': { adapters: { input: 'task', query: 0, document: 0 } } });
  expect(await findModel('own', folders)).toMatchObject({
    adapters: { input: 'task', query: 0, document: 0 },
  });
});

test('bge-m3 without its heads, in a folder made before there were any, gives dense vectors alone', async () => {
  await put({ 'bge-m3/onnx/model.onnx': 'a stand-in', 'bge-m3/tokenizer.json': 'a stand-in' });
  const listed = async () => (await listModels(folders)).find(({ name }) => name === 'bge-m3');
  expect(await listed()).toMatchObject({ local: true, available: true, lexical: false });
  const plain = await resolveModel('bge-m3', folders);
  expect(plain.layerPaths.size).toBe(0);
  expect(plain.revision).toBe(`sha256:${plain.sha256}`);
  await put({ 'bge-m3/sparse_linear.pt': 'a stand-in' });
  expect(await listed()).toMatchObject({ available: true, lexical: true });
  const { layerPaths, revision } = await resolveModel('bge-m3', folders);
  expect([...layerPaths.keys()]).toEqual(['sparse_linear.pt']);
  expect(revision).not.toBe(plain.revision);
});

test('an instruction prefix says where the instruction goes', () => {
  const withPrefix = (instructionPrefix: string) =>
    modelEntrySchema.safeParse({ ...valid, instructionPrefix });
  expect(withPrefix('Instruct: {instruction}\nQuery:').success).toBe(true);
  expect(withPrefix('Instruct: ').success).toBe(false);
});

test('without sentence-transformers’ limit, the model’s positions are the limit', async () => {
  await put(LAYOUT);
  await rm(join(modelsDir, 'own/sentence_bert_config.json'));
  expect(await findModel('own', folders)).toMatchObject({ maxTokens: 512 });
});

test.each([
  [
    'pooling',
    { 'own/1_Pooling/config.json': { word_embedding_dimension: 24, pooling_mode_max_tokens: true } },
  ],
  ['LSTM', { 'own/modules.json': [{ idx: 0, path: '', type: 'sentence_transformers.models.LSTM' }] }],
  [
    '2_Dense/model.safetensors is missing',
    { 'own/modules.json': [{ idx: 0, path: '2_Dense', type: 'sentence_transformers.models.Dense' }] },
  ],
  [
    'an activation that embedmill cannot run, torch.nn.modules.activation.GELU',
    {
      'own/modules.json': [{ idx: 0, path: '2_Dense', type: 'sentence_transformers.models.Dense' }],
      'own/2_Dense/config.json': { activation_function: 'torch.nn.modules.activation.GELU' },
    },
  ],
  ['not JSON', { 'own/config.json': undefined }],
  ['colour', { 'own/embedmill.json': { colour: 'red' } }],
  ['plain relative path', { 'own/embedmill.json': { model: { path: '../secret.onnx' } } }],
  ['plain relative path', { 'own/embedmill.json': { tokenizer: { path: '/etc/passwd' } } }],
  ['plain relative path', { 'own/embedmill.json': { data: [{ path: 'a/../../../secret' }] } }],
  [
    'plain relative path',
    { 'own/modules.json': [{ idx: 0, path: '../../..', type: 'sentence_transformers.models.Pooling' }] },
  ],
])('a folder that cannot be used says why: %s', async (words, changes) => {
  await put({ ...LAYOUT, ...changes, ...('own/config.json' in changes ? { 'own/config.json': 0 } : {}) });
  if (words === 'not JSON') await writeFile(join(modelsDir, 'own/config.json'), '{');
  await expect(findModel('own', folders)).rejects.toMatchObject({
    code: 'model_unavailable',
    message: expect.stringContaining(words) as string,
  });
});

test('a folder without its ONNX file or tokenizer says which is missing', async () => {
  await put(LAYOUT);
  await rm(join(modelsDir, 'own/tokenizer.json'));
  await expect(resolveModel('own', folders)).rejects.toMatchObject({
    code: 'model_unavailable',
    message: expect.stringContaining(join('own', 'tokenizer.json')) as string,
  });
});

test('an unknown name is model_not_found, also when it is a path', async () => {
  for (const name of ['nope', '..', '../..', 'models.json', '']) {
    await expect(findModel(name, folders)).rejects.toMatchObject({ code: 'model_not_found' });
  }
});

test.each([
  ['name', { name: '../own' }],
  ['source', { source: { kind: 'local', folder: '..' } }],
  ['source', { source: { kind: 'hub', repository: '../..', revision: 'a'.repeat(40) } }],
  ['source', { source: { kind: 'hub', repository: 'a/b', revision: '../../main' } }],
  ['tokenizer', { tokenizer: { path: 'x\0' } }],
])('an entry whose %s leads out of the folder is refused', async (_field, changes) => {
  const entry = {
    name: 'mine',
    dims: 8,
    pooling: 'mean',
    maxTokens: 64,
    license: 'mit',
    model: { path: 'model.onnx' },
    source: { kind: 'local', folder: 'own' },
  };
  await put({ 'models.json': [{ ...entry, ...changes }] });
  await expect(findModel('mine', folders)).rejects.toMatchObject({
    code: 'model_unavailable',
    message: expect.stringContaining('models.json') as string,
  });
});

test('the list has every model once, and says which are on this machine', async () => {
  await put({ ...LAYOUT, 'empty/README': 'no model' });
  const listed = await listModels(folders);
  const names = listed.map(({ name }) => name);
  expect(names).toEqual([...REGISTRY.map(({ name }) => name), 'own'].sort());
  expect(listed.find(({ name }) => name === 'all-MiniLM-L6-v2')).toEqual({
    name: 'all-MiniLM-L6-v2',
    languages: ['en'],
    bytes: 23_540_626 + 466_247,
    kind: 'dense',
    dims: 384,
    matryoshka: [],
    maxTokens: 256,
    pooling: 'mean',
    attentions: true,
    lexical: false,
    tokenVectors: true,
    prompts: {},
    images: false,
    bundled: true,
    local: false,
    license: 'apache-2.0',
    available: true,
  });
  expect(listed.find(({ name }) => name === 'splade-tiny')).toEqual({
    name: 'splade-tiny',
    languages: ['en'],
    bytes: 17_690_787 + 711_649,
    kind: 'sparse',
    dims: 30_522,
    matryoshka: [],
    maxTokens: 512,
    attentions: false,
    lexical: false,
    tokenVectors: false,
    prompts: {},
    images: false,
    bundled: true,
    local: false,
    license: 'mit',
    available: true,
  });
  expect(listed.find(({ name }) => name === 'static-minilm-256')).toMatchObject({ tokenVectors: false });
  expect(listed.find(({ name }) => name === 'bge-base-en-v1.5')).toMatchObject({ available: false });
  expect(listed.find(({ name }) => name === 'own')).toMatchObject({ available: true, bundled: false });
});

const hasShared = existsSync(SHARED);
test.skipIf(!hasShared)(
  `fp32 all-MiniLM is taken from a models folder${hasShared ? '' : ' (skipped: no EMBEDMILL_SHARED)'}`,
  async () => {
    const model = await resolveModel('all-MiniLM-L6-v2-fp32', { ...folders, modelsDir: SHARED });
    expect(model.modelPath).toBe(join(SHARED, 'all-MiniLM-L6-v2/model.onnx'));
    expect(model).toMatchObject({ dims: 384, pooling: 'mean', maxTokens: 256 });
  },
);

test('models say how large their files are and which languages they read', async () => {
  const listed = await listModels({ cacheDir: join(tmpdir(), 'none') });
  const of = (name: string) => listed.find((model) => model.name === name);
  expect(of('all-MiniLM-L6-v2')).toMatchObject({ languages: ['en'], bytes: 23_540_626 + 466_247 });
  expect(of('multilingual-e5-large')).toMatchObject({ languages: ['mul'] });
  expect(of('multilingual-e5-large')?.bytes).toBeGreaterThan(2e9);
  expect(REGISTRY.filter(({ languages }) => languages === undefined)).toEqual([]);
});
