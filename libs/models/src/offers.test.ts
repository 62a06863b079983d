import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { REVISION, sha256, startFakeHub, type FakeHub } from './fake-hub.ts';
import { offeredFiles } from './offers.ts';
import { resolveModel, resolveTokenizer, type ResolveOptions } from './resolve.ts';

let folder: string;
let hub: FakeHub | undefined;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'embedmill-offers-'));
});
afterEach(async () => {
  await hub?.close();
  hub = undefined;
  await rm(folder, { recursive: true, force: true });
});

const large = (fill: number): Uint8Array => new Uint8Array(1_200_000).fill(fill);
const FILES = {
  'tokenizer.json': Buffer.from('{}'),
  'onnx/model.onnx': large(1),
  'onnx/model_fp16.onnx': Buffer.from('a graph'),
  'onnx/model_fp16.onnx_data': large(2),
  'onnx/model_quantized.onnx': large(3),
  'README.md': Buffer.from('no model'),
};

async function put(path: string, content: string): Promise<void> {
  await mkdir(dirname(path), { recursive: true });
  await writeFile(path, content);
}

async function withHub(): Promise<ResolveOptions> {
  hub = await startFakeHub(FILES);
  const modelsDir = join(folder, 'models');
  const entry = {
    name: 'mine',
    dims: 8,
    pooling: 'mean',
    maxTokens: 64,
    license: 'mit',
    model: { path: 'onnx/model.onnx' },
    source: { kind: 'hub', repository: 'me/mine', revision: REVISION },
  };
  await put(join(modelsDir, 'models.json'), JSON.stringify([entry]));
  return { modelsDir, cacheDir: join(folder, 'cache'), hubUrl: hub.url, hubToken: 'secret' };
}

test('a repository’s ONNX files are listed with what the hub says of them, the entry’s own first', async () => {
  const options = await withHub();
  expect(await offeredFiles('mine', options)).toEqual([
    { path: 'onnx/model.onnx', bytes: 1_200_000, sha256: sha256(large(1)), data: [] },
    {
      path: 'onnx/model_fp16.onnx',
      bytes: 1_200_007,
      data: [{ path: 'onnx/model_fp16.onnx_data', bytes: 1_200_000, sha256: sha256(large(2)) }],
    },
    { path: 'onnx/model_quantized.onnx', bytes: 1_200_000, sha256: sha256(large(3)), data: [] },
  ]);
  expect(hub?.requests).toMatchObject([{ authorization: 'Bearer secret' }]);
});

test('a file that was offered is downloaded with its data, verified, at the model’s own revision', async () => {
  const options = await withHub();
  const [, fp16] = await offeredFiles('mine', options);
  const resolved = await resolveModel('mine', { ...options, file: fp16 });
  expect(await readFile(resolved.modelPath, 'utf8')).toBe('a graph');
  expect(resolved).toMatchObject({ revision: REVISION, modelBytes: 1_200_007 });
  expect(await readFile(`${resolved.modelPath}_data`)).toEqual(Buffer.from(large(2)));
  const asked = hub?.requests.map(({ path }) => path) ?? [];
  expect(asked.some((path) => path.endsWith('onnx/model.onnx'))).toBe(false);
});

test('where something else runs the model, its tokenizer alone is downloaded', async () => {
  const options = await withHub();
  const { tokenizerPath, dims } = await resolveTokenizer('mine', options);
  expect(await readFile(tokenizerPath, 'utf8')).toBe('{}');
  expect(dims).toBe(8);
  expect(hub?.requests.map(({ path }) => path)).toEqual([`/me/mine/resolve/${REVISION}/tokenizer.json`]);
});

test('a hub that cannot list is model_unavailable, and says where it was asked', async () => {
  const options = await withHub();
  hub?.next.push((_request, response) => void response.writeHead(503).end());
  await expect(offeredFiles('mine', options)).rejects.toMatchObject({
    code: 'model_unavailable',
    message: expect.stringContaining(`/api/models/me/mine/tree/${REVISION}`) as string,
  });
});

test('a folder’s files are listed, wherever in it they are, the entry’s own first', async () => {
  const modelsDir = join(folder, 'models');
  const config = JSON.stringify({ dims: 8, pooling: 'mean', maxTokens: 64 });
  for (const [path, content] of Object.entries({
    'embedmill.json': config,
    'tokenizer.json': '{}',
    'onnx/model.onnx': 'own',
    'a.onnx': 'another',
    'onnx/int8/b.onnx': 'a third',
  })) {
    await put(join(modelsDir, 'own', path), content);
  }
  const offered = await offeredFiles('own', { modelsDir, cacheDir: join(folder, 'cache') });
  expect(offered).toEqual([
    { path: 'onnx/model.onnx', bytes: 3, data: [] },
    { path: 'a.onnx', bytes: 7, data: [] },
    { path: 'onnx/int8/b.onnx', bytes: 7, data: [] },
  ]);
});

test('the bundled model is offered in the file that is bundled', async () => {
  const offered = await offeredFiles('all-MiniLM-L6-v2', { cacheDir: join(folder, 'cache') });
  expect(offered.map(({ path }) => path)).toEqual(['model_int8.onnx']);
});

test.each([
  '../../escape.onnx',
  '/etc/escape.onnx',
  'onnx/../../escape.onnx',
  '.hidden/escape.onnx',
  'a\\b.onnx',
])('a hub’s file that is called %s is not offered, nor taken when it is asked for', async (path) => {
  const options = await withHub();
  const file = { type: 'file', size: 7, path };
  const own = { type: 'file', size: 7, path: 'onnx/model.onnx' };
  const beside = { type: 'file', size: 7, path: `onnx/model.onnx/../${path}` };
  hub?.next.push((_request, response) => response.end(JSON.stringify([file, own, beside])));
  expect(await offeredFiles('mine', options)).toEqual([{ path: 'onnx/model.onnx', bytes: 7, data: [] }]);
  for (const asked of [
    { path, data: [] },
    { path: 'onnx/model.onnx', data: [{ path }] },
  ]) {
    await expect(resolveModel('mine', { ...options, file: asked })).rejects.toMatchObject({
      code: 'model_unavailable',
      message: expect.stringContaining(JSON.stringify(path)) as string,
    });
  }
  expect(hub?.requests).toHaveLength(1);
});
