import { execFile } from 'node:child_process';
import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { InferenceClient } from '@huggingface/inference';
import { CohereClientV2 } from 'cohere-ai';
import { Ollama } from 'ollama';
import OpenAI, { AzureOpenAI, toFile } from 'openai';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { Embedmill } from '../embedmill.ts';
import { checksOf, pythonWith, pythonWithClients } from './python.ts';

/** Real clients of the APIs that embedmill speaks, unchanged, against a real server with the bundled model. */
const MODEL = 'all-MiniLM-L6-v2';
const ROOT = join(import.meta.dirname, '../..');
const python = await pythonWithClients();
const pythonWithInfinity = await pythonWith(
  join(import.meta.dirname, 'requirements-infinity.txt'),
  'infinity',
);
const modules = readdirSync(join(import.meta.dirname, 'python'))
  .filter((file) => file.startsWith('client_'))
  .map((file) => file.replace('.py', ''));

let mill: Embedmill;
let models: string;
let url: string;

beforeAll(async () => {
  models = mkdtempSync(join(tmpdir(), 'embedmill-clients-'));
  // The bundled model with prefixes, which make queries differ from documents.
  cpSync(join(ROOT, 'models', MODEL), join(models, 'prefixed'), { recursive: true });
  cpSync(join(ROOT, 'models', MODEL, 'model_int8.onnx'), join(models, 'prefixed/model.onnx'));
  const entry = { dims: 384, pooling: 'mean', maxTokens: 256 };
  const prefixes = { queryPrefix: 'query: ', documentPrefix: 'passage: ' };
  writeFileSync(join(models, 'prefixed/embedmill.json'), JSON.stringify({ ...entry, ...prefixes }));
  mill = await Embedmill.up({
    env: {
      EMBEDMILL_MODELS_DIR: models,
      EMBEDMILL_API_MODEL_ALIASES: `text-embedding-3-small=${MODEL},embed-english-v3.0=${MODEL}`,
    },
  });
  ({ url } = await mill.state());
});
afterAll(async () => {
  await mill.stop();
  rmSync(models, { recursive: true, force: true });
});

interface BatchAnswer {
  custom_id: string;
  response: { body: { data: { embedding: number[] }[] } };
}

async function vectorOf(input: string): Promise<number[]> {
  const answer = await mill.json<{ data: { embedding: number[] }[] }>('/v1/embeddings', {
    model: MODEL,
    input,
  });
  return answer.data[0]?.embedding ?? [];
}

function expectSame(got: readonly number[] | undefined, wanted: readonly number[]): void {
  const dot = (a: readonly number[], b: readonly number[]) =>
    a.reduce((sum, one, n) => sum + one * (b[n] ?? 0), 0);
  expect(got).toHaveLength(wanted.length);
  if (got === undefined) return;
  expect(dot(got, wanted) / Math.sqrt(dot(got, got) * dot(wanted, wanted))).toBeGreaterThan(0.99999);
}

describe('in Python', () => {
  const reason = 'missing' in python ? ` (skipped: ${python.missing})` : '';
  test.skipIf('missing' in python).for(modules)(`%s works${reason}`, async (module) => {
    if ('missing' in python) return;
    const checks = await checksOf(python.command, module, url);
    expect(checks.length).toBeGreaterThan(0);
    expect(checks.filter(({ error }) => error !== null)).toEqual([]);
  });

  const reasonOfInfinity = 'missing' in pythonWithInfinity ? ` (skipped: ${pythonWithInfinity.missing})` : '';
  test.skipIf('missing' in pythonWithInfinity)(`Infinity’s client works${reasonOfInfinity}`, async () => {
    if ('missing' in pythonWithInfinity) return;
    const checks = await checksOf(pythonWithInfinity.command, 'infinity', url);
    expect(checks.map(({ check }) => check)).toEqual(['embeddings', 'rerank']);
    expect(checks.filter(({ error }) => error !== null)).toEqual([]);
  });

  test.skipIf('missing' in python)(`the snippet of docs/clients.md does what it says${reason}`, async () => {
    if ('missing' in python) return;
    const page = readFileSync(join(ROOT, 'docs/clients.md'), 'utf8');
    const [, code = ''] = /^```python\n(.*?)^```$/ms.exec(page) ?? [];
    const run = promisify(execFile);
    const { stdout } = await run(python.command, ['-c', code.replaceAll('http://127.0.0.1:7070', url)]);
    expect(stdout.trim()).toBe('384');
  });
});

describe('in Node', () => {
  test('openai: base64 by default, queries by the model’s name, models, errors as its own classes', async () => {
    const client = new OpenAI({ baseURL: `${url}/v1`, apiKey: 'none', maxRetries: 0 });
    const { data } = await client.embeddings.create({ model: MODEL, input: ['a whale', 'a bank'] });
    expectSame(data[0]?.embedding, await vectorOf('a whale'));
    const query = await client.embeddings.create({ model: 'prefixed:query', input: 'a whale' });
    expectSame(query.data[0]?.embedding, await vectorOf('query: a whale'));
    expect((await client.models.list()).data.map(({ id }) => id)).toContain(MODEL);
    const empty = client.embeddings.create({ model: MODEL, input: ' ' });
    await expect(empty).rejects.toBeInstanceOf(OpenAI.BadRequestError);
  });

  test('openai: a file of 2,000 requests as a batch, each answered once', async () => {
    const client = new OpenAI({ baseURL: `${url}/v1`, apiKey: 'none', maxRetries: 0 });
    const lines = Array.from({ length: 2000 }, (_, n) => ({
      custom_id: `r${n}`,
      method: 'POST',
      url: '/v1/embeddings',
      body: { model: 'text-embedding-3-small', input: n === 7 ? '' : `whale number ${n}` },
    }));
    const content = lines.map((line) => `${JSON.stringify(line)}\n`).join('');
    const file = await client.files.create({
      file: await toFile(Buffer.from(content), 'requests.jsonl'),
      purpose: 'batch',
    });
    let batch = await client.batches.create({
      input_file_id: file.id,
      endpoint: '/v1/embeddings',
      completion_window: '24h',
    });
    await mill.until('the batch has ended', async () => {
      batch = await client.batches.retrieve(batch.id);
      return batch.completed_at !== null || batch.failed_at !== null;
    });
    expect(batch).toMatchObject({
      status: 'completed',
      request_counts: { total: 2000, completed: 1999, failed: 1 },
    });
    const output = await (await client.files.content(batch.output_file_id ?? '')).text();
    const answers = output
      .split('\n')
      .filter(Boolean)
      .map((line) => JSON.parse(line) as BatchAnswer);
    expect(answers.map(({ custom_id }) => custom_id)).toEqual(
      lines.flatMap(({ custom_id }, n) => (n === 7 ? [] : custom_id)),
    );
    const embedding = answers[100]?.response.body.data[0]?.embedding;
    expectSame(embedding, await vectorOf('whale number 101'));
    expect(await (await client.files.content(batch.error_file_id ?? '')).text()).toContain('"r7"');
  });

  test('@huggingface/inference: feature extraction at the server’s address', async () => {
    const client = new InferenceClient();
    const found = await client.featureExtraction({ endpointUrl: url, inputs: ['a whale', 'a bank'] });
    expectSame((found as number[][])[1], await vectorOf('a bank'));
    const [raw = []] = (await client.featureExtraction({
      endpointUrl: url,
      inputs: ['a bank'],
      normalize: false,
    })) as number[][];
    expectSame(raw, await vectorOf('a bank'));
    expect(Math.abs(Math.hypot(...raw) - 1)).toBeGreaterThan(0.1);
    const inputs = { source_sentence: 'a whale', sentences: ['a whale', 'a bank'] };
    const [same, other] = await client.sentenceSimilarity({ endpointUrl: url, inputs });
    expect(same).toBeGreaterThan(0.999);
    expect(other).toBeLessThan(0.9);
  });

  test('AzureOpenAI: a deployment is a model', async () => {
    const client = new AzureOpenAI({
      endpoint: url,
      apiKey: 'none',
      apiVersion: '2024-10-21',
      maxRetries: 0,
    });
    const { data } = await client.embeddings.create({ model: MODEL, input: 'a whale' });
    expectSame(data[0]?.embedding, await vectorOf('a whale'));
  });

  test('cohere-ai: embed in two types, rerank', async () => {
    const client = new CohereClientV2({ token: 'none', environment: url });
    const texts = ['a whale', 'a bank'];
    const { embeddings } = await client.embed({
      model: 'prefixed',
      texts,
      inputType: 'search_query',
      embeddingTypes: ['float', 'int8'],
    });
    expectSame(embeddings.float?.[0], await vectorOf('query: a whale'));
    expect(embeddings.int8?.[1]).toHaveLength(384);
    const { results } = await client.rerank({ model: MODEL, query: 'whales', documents: texts, topN: 1 });
    expect(results.map(({ index }) => index)).toEqual([0]);
  });

  test('ollama: embed, and the older embeddings', async () => {
    const client = new Ollama({ host: url });
    const { embeddings } = await client.embed({ model: MODEL, input: ['a whale', 'a bank'] });
    expectSame(embeddings[1], await vectorOf('a bank'));
    const { embedding } = await client.embeddings({ model: MODEL, prompt: 'a whale' });
    expectSame(embedding, await vectorOf('a whale'));
    await expect(client.embed({ model: 'llama3.2', input: 'x' })).rejects.toMatchObject({ status_code: 404 });
  });
});

test('the versions are those of docs/compatibility.md', () => {
  const documented = readFileSync(join(ROOT, 'docs/compatibility.md'), 'utf8');
  const required = readFileSync(join(import.meta.dirname, 'requirements.txt'), 'utf8').matchAll(
    /^(.+)==(.+)$/gm,
  );
  const { devDependencies } = JSON.parse(readFileSync(join(ROOT, 'test/package.json'), 'utf8')) as {
    devDependencies: Record<string, string>;
  };
  const versions = [
    ...Array.from(required, ([, name = '', version = '']) => [name, version]),
    ...['openai', '@huggingface/inference', 'cohere-ai'].map((name) => [name, devDependencies[name] ?? '']),
  ];
  for (const [name, version] of versions) expect(documented).toMatch(new RegExp(`${name}\`? ${version}\\b`));
});
