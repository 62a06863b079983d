import { fork, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { cp, mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import { hostname, tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import type { ModelEntryInput } from './entry.ts';
import { REVISION, sha256, startFakeHub, type FakeHub } from './fake-hub.ts';
import { REGISTRY } from './registry.ts';
import { resolveModel, type ResolveOptions } from './resolve.ts';

const BUNDLED = resolve(import.meta.dirname, '../../../models');
const ONNX = Buffer.alloc(3_000_000, 'weights ');
const TOKENIZER = Buffer.from('{"tokenizer": true}');
const FILES = { 'onnx/model.onnx': ONNX, 'tokenizer.json': TOKENIZER };

let folder: string;
let hub: FakeHub;
const closing: (() => Promise<unknown>)[] = [];

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'embedmill-models-'));
  hub = await startFakeHub(FILES);
});
afterEach(async () => {
  for (const close of closing.splice(0)) await close();
  await hub.close();
  await rm(folder, { recursive: true, force: true });
});

const ENTRY: ModelEntryInput = {
  name: 'tiny',
  dims: 8,
  pooling: 'cls',
  maxTokens: 16,
  model: { path: 'onnx/model.onnx', sha256: sha256(ONNX), bytes: ONNX.length },
  tokenizer: { path: 'tokenizer.json', sha256: sha256(TOKENIZER) },
  source: { kind: 'hub', repository: 'someone/tiny', revision: REVISION },
  license: 'mit',
};

/** Options with which `tiny` is a user's model on the fake hub. */
async function options(
  entry: ModelEntryInput = ENTRY,
  more: Partial<ResolveOptions> = {},
): Promise<ResolveOptions> {
  await mkdir(join(folder, 'models'), { recursive: true });
  await writeFile(join(folder, 'models/models.json'), JSON.stringify([entry]));
  return {
    modelsDir: join(folder, 'models'),
    cacheDir: join(folder, 'cache'),
    hubUrl: hub.url,
    retryDelayMs: 1,
    ...more,
  };
}
const inCache = (path: string) => join(folder, 'cache/someone/tiny', REVISION, path);
const leftovers = async () =>
  (await readdir(join(folder, 'cache'), { recursive: true })).filter((name) => /partial|lock/.test(name));

test('a model is downloaded at its commit, verified, and not asked for again', async () => {
  const given = await options();
  const model = await resolveModel('tiny', given);
  expect(await readFile(model.modelPath)).toEqual(ONNX);
  expect(await readFile(model.tokenizerPath)).toEqual(TOKENIZER);
  expect(model).toMatchObject({ name: 'tiny', dims: 8, revision: REVISION, sha256: sha256(ONNX) });
  expect(hub.requests.map(({ path }) => path)).toEqual([
    `/someone/tiny/resolve/${REVISION}/tokenizer.json`,
    `/someone/tiny/resolve/${REVISION}/onnx/model.onnx`,
  ]);
  await resolveModel('tiny', given);
  expect(hub.requests).toHaveLength(2);
  expect(await leftovers()).toEqual([]);
});

test('progress says how much of which file has come', async () => {
  const seen: { file: string; receivedBytes: number; totalBytes: number | undefined }[] = [];
  await resolveModel('tiny', await options(ENTRY, { onProgress: (progress) => seen.push(progress) }));
  const ofModel = seen.filter(({ file }) => file === 'onnx/model.onnx');
  expect(ofModel.length).toBeGreaterThan(1);
  expect(ofModel.at(-1)).toMatchObject({
    model: 'tiny',
    receivedBytes: ONNX.length,
    totalBytes: ONNX.length,
  });
});

test('external data comes with the model', async () => {
  const data = Buffer.from('external');
  const other = await startFakeHub({ ...FILES, 'onnx/model.onnx_data': data });
  closing.push(() => other.close());
  const entry = { ...ENTRY, data: [{ path: 'onnx/model.onnx_data', sha256: sha256(data) }] };
  const model = await resolveModel('tiny', await options(entry, { hubUrl: other.url }));
  expect(await readFile(`${model.modelPath}_data`)).toEqual(data);
});

/** Answers with the first `bytes` of the ONNX file, then cuts the connection. */
const cutAfter =
  (bytes: number): FakeHub['next'][number] =>
  (_request, response) => {
    response.writeHead(200, { 'content-length': ONNX.length, etag: `"${sha256(ONNX)}"` });
    response.write(ONNX.subarray(0, bytes), () => setImmediate(() => response.destroy()));
  };

test('a cut connection is resumed from where it broke', async () => {
  hub.next.push(undefined, cutAfter(1_000_000));
  const model = await resolveModel('tiny', await options());
  expect(await readFile(model.modelPath)).toEqual(ONNX);
  const [, , resumed] = hub.requests;
  expect(hub.requests).toHaveLength(3);
  expect(Number(/bytes=(\d+)-/.exec(resumed?.range ?? '')?.[1])).toBeGreaterThan(0);
});

test('another process’s partial file is resumed, but not when the server’s file is another', async () => {
  await mkdir(inCache('onnx'), { recursive: true });
  await writeFile(inCache('onnx/model.onnx.partial'), ONNX.subarray(0, 500));
  await writeFile(inCache('onnx/model.onnx.partial.etag'), `"${sha256(ONNX)}"`);
  await resolveModel('tiny', await options());
  expect(hub.requests.at(-1)?.range).toBe('bytes=500-');

  await rm(inCache('onnx'), { recursive: true });
  await mkdir(inCache('onnx'), { recursive: true });
  await writeFile(inCache('onnx/model.onnx.partial'), Buffer.alloc(500, 'x'));
  await writeFile(inCache('onnx/model.onnx.partial.etag'), '"of another file"');
  const model = await resolveModel('tiny', await options());
  expect(await readFile(model.modelPath)).toEqual(ONNX);
});

test('a body that keeps ending early is given up, and never taken for the file', async () => {
  const short: FakeHub['next'][number] = (_request, response) => {
    response.writeHead(200).end(ONNX.subarray(0, 1000));
  };
  hub.next.push(undefined, ...Array.from({ length: 10 }, () => short));
  await expect(resolveModel('tiny', await options())).rejects.toMatchObject({ code: 'model_unavailable' });
  await expect(stat(inCache('onnx/model.onnx'))).rejects.toThrow();
});

test('a server that says nothing more is given up', async () => {
  const silent: FakeHub['next'][number] = (_request, response) => {
    response.writeHead(200, { 'content-length': ONNX.length });
    response.write('we');
  };
  hub.next.push(undefined, silent);
  const model = await resolveModel('tiny', await options(ENTRY, { idleTimeoutMs: 100 }));
  expect(await readFile(model.modelPath)).toEqual(ONNX);
  expect(hub.requests).toHaveLength(3);
});

test('a tampered file is model_corrupt and leaves nothing behind', async () => {
  const tampered = Buffer.from(ONNX);
  tampered[1_000_000] = 0;
  const other = await startFakeHub({ ...FILES, 'onnx/model.onnx': tampered });
  closing.push(() => other.close());
  await expect(resolveModel('tiny', await options(ENTRY, { hubUrl: other.url }))).rejects.toMatchObject({
    code: 'model_corrupt',
  });
  expect(await readdir(inCache('onnx'))).toEqual([]);
});

test('a file of another size is refused before it is downloaded', async () => {
  const entry = { ...ENTRY, model: { ...ENTRY.model, bytes: 5 } };
  await expect(resolveModel('tiny', await options(entry))).rejects.toMatchObject({ code: 'model_corrupt' });
});

test('a cached file that has changed is downloaded again', async () => {
  const given = await options();
  await resolveModel('tiny', given);
  await writeFile(inCache('onnx/model.onnx'), 'no weights');
  const model = await resolveModel('tiny', given);
  expect(await readFile(model.modelPath)).toEqual(ONNX);
});

test('without a digest in the entry, what came first is what is held to', async () => {
  const plain = await startFakeHub(FILES, false);
  closing.push(() => plain.close());
  const entry = { ...ENTRY, model: { path: 'onnx/model.onnx' }, tokenizer: { path: 'tokenizer.json' } };
  const given = await options(entry, { hubUrl: plain.url });
  await resolveModel('tiny', given);
  expect((await readFile(inCache('onnx/model.onnx.sha256'), 'utf8')).trim()).toBe(sha256(ONNX));

  await rm(inCache('onnx/model.onnx'));
  const other = await startFakeHub({ ...FILES, 'onnx/model.onnx': Buffer.from('other weights') }, false);
  closing.push(() => other.close());
  await expect(resolveModel('tiny', { ...given, hubUrl: other.url })).rejects.toMatchObject({
    code: 'model_corrupt',
  });
});

test('without a digest in the entry, the one that the hub states is held to', async () => {
  const entry = { ...ENTRY, model: { path: 'onnx/model.onnx' } };
  hub.next.push(undefined, (_request, response) => {
    response.writeHead(200, { 'x-linked-etag': `"${sha256(ONNX)}"` }).end('other weights');
  });
  await expect(resolveModel('tiny', await options(entry))).rejects.toMatchObject({ code: 'model_corrupt' });
});

test.each([
  [404, 'correct the model'],
  [401, 'HF_TOKEN'],
  [403, 'HF_TOKEN'],
])('%i is said at once, and not tried again', async (status, words) => {
  hub.next.push((_request, response) => response.writeHead(status).end());
  const failing = resolveModel('tiny', await options());
  await expect(failing).rejects.toMatchObject({
    code: 'model_unavailable',
    message: expect.stringContaining(words) as string,
  });
  expect(hub.requests).toHaveLength(1);
});

test('503 and 429 are tried again, after the time that the server asks for', async () => {
  hub.next.push((_request, response) => response.writeHead(503).end());
  hub.next.push((_request, response) => response.writeHead(429, { 'retry-after': '1' }).end());
  const before = performance.now();
  await resolveModel('tiny', await options());
  expect(performance.now() - before).toBeGreaterThan(950);
  expect(hub.requests).toHaveLength(4);
});

test('a server that asks for much patience is left alone, and the caller told for how long', async () => {
  hub.next.push((_request, response) => response.writeHead(429, { 'retry-after': '900' }).end());
  await expect(resolveModel('tiny', await options())).rejects.toMatchObject({
    code: 'model_unavailable',
    retryAfter: 900,
  });
});

test('the token goes to the hub, and to no host that it redirects to', async () => {
  const seen: (string | undefined)[] = [];
  const storage = createServer((request, response) => {
    seen.push(request.headers.authorization);
    response.end(request.url === '/model' ? ONNX : TOKENIZER);
  });
  storage.listen(0, '127.0.0.1');
  await once(storage, 'listening');
  closing.push(async () => {
    storage.closeAllConnections();
    storage.close();
  });
  const address = storage.address();
  const port = typeof address === 'object' ? address?.port : undefined;
  for (const path of ['/tokenizer', '/model']) {
    hub.next.push((_request, response) =>
      response.writeHead(302, { location: `http://127.0.0.1:${port}${path}` }).end(),
    );
  }
  await resolveModel('tiny', await options(ENTRY, { hubToken: 'hf_secret' }));
  expect(hub.requests.map(({ authorization }) => authorization)).toEqual([
    'Bearer hf_secret',
    'Bearer hf_secret',
  ]);
  expect(seen).toEqual([undefined, undefined]);
});

test('without a network it is said what to put where, and that is enough', async () => {
  const given = await options();
  const offline = { ...given, hubUrl: 'http://127.0.0.1:9' };
  const failure = await resolveModel('tiny', offline).catch((error: Error) => error.message);
  expect(failure).toContain('tokenizer.json, onnx/model.onnx');
  expect(failure).toContain(`${REVISION} into the folder tiny`);
  await mkdir(join(folder, 'models/tiny'));
  await writeFile(join(folder, 'models/tiny/model.onnx'), ONNX);
  await writeFile(join(folder, 'models/tiny/tokenizer.json'), TOKENIZER);
  const model = await resolveModel('tiny', offline);
  expect(model.modelPath).toBe(join(folder, 'models/tiny/model.onnx'));
  expect(model.revision).toBe(`sha256:${sha256(ONNX)}`);
});

test('a download that is given up stops', async () => {
  const stop = new AbortController();
  hub.next.push(() => stop.abort(new Error('given up')));
  await expect(resolveModel('tiny', await options(ENTRY, { signal: stop.signal }))).rejects.toThrow(
    'given up',
  );
});

test('two processes that want the same model download it once', async () => {
  const given = await options({ ...ENTRY, tokenizer: { path: 'onnx/model.onnx' } });
  const script = join(folder, 'resolve.mjs');
  await writeFile(
    script,
    `import { resolveModel } from ${JSON.stringify(join(import.meta.dirname, 'resolve.ts'))};
process.once('message', async () => {
  const model = await resolveModel('tiny', ${JSON.stringify(given)});
  process.send(model.sha256);
  process.disconnect();
});
process.send('ready');`,
  );
  // Delays the first answer long enough for a second process to send its request, if it would.
  hub.next.push((_request, response) => {
    setTimeout(() => response.writeHead(200, { 'content-length': ONNX.length }).end(ONNX), 500);
  });
  const children = [fork(script), fork(script)];
  closing.push(async () => children.forEach((child) => child.kill('SIGKILL')));
  const next = async (child: ChildProcess) => (await once(child, 'message'))[0] as string;
  await Promise.all(children.map(next));
  const digests = children.map(next);
  for (const child of children) child.send('go');
  expect(await Promise.all(digests)).toEqual([sha256(ONNX), sha256(ONNX)]);
  expect(hub.requests).toHaveLength(1);
  expect(await leftovers()).toEqual([]);
});

test('a lock whose holder was killed is taken over', async () => {
  const child = fork(join(folder, 'none.mjs'), { stdio: 'ignore' });
  await once(child, 'exit');
  await mkdir(inCache('onnx'), { recursive: true });
  const dead = { pid: child.pid, host: hostname(), nonce: 'dead' };
  await writeFile(inCache('onnx/model.onnx.lock'), JSON.stringify(dead));
  await resolveModel('tiny', await options());
  expect(await leftovers()).toEqual([]);
});

test('the bundled model is what its entry says', async () => {
  const model = await resolveModel('all-MiniLM-L6-v2', { cacheDir: join(folder, 'cache') });
  expect(model).toMatchObject({ dims: 384, pooling: 'mean', maxTokens: 256, normalize: true, padTokenId: 0 });
  expect(model.sha256).toBe('e777796ddc5ef6c5dc0877bcc57afdca8471e3dd36ff47524f960f54c85d1b43');
});

test('every bundled model is checked against its digests when it is loaded', async () => {
  const bundled = REGISTRY.filter(({ source }) => source.kind === 'bundled');
  expect(bundled.length).toBeGreaterThan(2);
  for (const { name, model, tokenizer } of bundled) {
    const { modelPath, tokenizerPath } = await resolveModel(name, { cacheDir: join(folder, 'cache') });
    expect(sha256(await readFile(modelPath)), name).toBe(model.sha256);
    expect(sha256(await readFile(tokenizerPath)), name).toBe(tokenizer.sha256);
  }
});

test('a bundled model with one bit flipped is model_corrupt, and one that is missing is unavailable', async () => {
  const copy = join(folder, 'bundled');
  await cp(join(BUNDLED, 'all-MiniLM-L6-v2'), join(copy, 'all-MiniLM-L6-v2'), { recursive: true });
  const path = join(copy, 'all-MiniLM-L6-v2/model_int8.onnx');
  const given = { cacheDir: join(folder, 'cache'), bundledDir: copy };
  await resolveModel('all-MiniLM-L6-v2', given);
  const bytes = await readFile(path);
  bytes[20_000_000] = (bytes[20_000_000] ?? 0) ^ 1;
  await writeFile(path, bytes);
  await expect(resolveModel('all-MiniLM-L6-v2', given)).rejects.toMatchObject({ code: 'model_corrupt' });
  await rm(path);
  await expect(resolveModel('all-MiniLM-L6-v2', given)).rejects.toMatchObject({ code: 'model_unavailable' });
});
