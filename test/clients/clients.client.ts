import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { InferenceClient } from '@huggingface/inference';
import OpenAI from 'openai';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { Embedmill } from '../embedmill.ts';
import { checksOf, pythonWithClients } from './python.ts';

/** Real clients of the APIs that embedmill speaks, unchanged, against a real server with the bundled model. */
const MODEL = 'all-MiniLM-L6-v2';
const ROOT = join(import.meta.dirname, '../..');
const python = await pythonWithClients();
const modules = readdirSync(join(import.meta.dirname, 'python'))
  .filter((file) => file.startsWith('client_'))
  .map((file) => file.replace('.py', ''));

let mill: Embedmill;
let models: string;
let url: string;

beforeAll(async () => {
  models = mkdtempSync(join(tmpdir(), 'embedmill-clients-'));
  // The bundled model with prefixes, which tell queries from documents.
  cpSync(join(ROOT, 'models', MODEL), join(models, 'prefixed'), { recursive: true });
  cpSync(join(ROOT, 'models', MODEL, 'model_int8.onnx'), join(models, 'prefixed/model.onnx'));
  const entry = { dims: 384, pooling: 'mean', maxTokens: 256 };
  const prefixes = { queryPrefix: 'query: ', documentPrefix: 'passage: ' };
  writeFileSync(join(models, 'prefixed/embedmill.json'), JSON.stringify({ ...entry, ...prefixes }));
  mill = await Embedmill.up({
    env: {
      EMBEDMILL_MODELS_DIR: models,
      EMBEDMILL_API_MODEL_ALIASES: `text-embedding-3-small=${MODEL}`,
    },
  });
  ({ url } = await mill.state());
});
afterAll(async () => {
  await mill.stop();
  rmSync(models, { recursive: true, force: true });
});

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
  test.skipIf('missing' in python).for(modules)(`%s gets what it asks for${reason}`, async (module) => {
    if ('missing' in python) return;
    const checks = await checksOf(python.command, module, url);
    expect(checks.length).toBeGreaterThan(0);
    expect(checks.filter(({ error }) => error !== null)).toEqual([]);
  });
});

describe('in Node', () => {
  test('openai: base64 by default, queries by the model’s name, models, errors of its own', async () => {
    const client = new OpenAI({ baseURL: `${url}/v1`, apiKey: 'none', maxRetries: 0 });
    const { data } = await client.embeddings.create({ model: MODEL, input: ['a whale', 'a bank'] });
    expectSame(data[0]?.embedding, await vectorOf('a whale'));
    const query = await client.embeddings.create({ model: 'prefixed:query', input: 'a whale' });
    expectSame(query.data[0]?.embedding, await vectorOf('query: a whale'));
    expect((await client.models.list()).data.map(({ id }) => id)).toContain(MODEL);
    const empty = client.embeddings.create({ model: MODEL, input: ' ' });
    await expect(empty).rejects.toBeInstanceOf(OpenAI.BadRequestError);
  });

  test('@huggingface/inference: feature extraction at the server’s address', async () => {
    const client = new InferenceClient();
    const found = await client.featureExtraction({ endpointUrl: url, inputs: ['a whale', 'a bank'] });
    expectSame((found as number[][])[1], await vectorOf('a bank'));
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
    ...['openai', '@huggingface/inference'].map((name) => [name, devDependencies[name] ?? '']),
  ];
  for (const [name, version] of versions) expect(documented).toMatch(new RegExp(`${name}\`? ${version}\\b`));
});
