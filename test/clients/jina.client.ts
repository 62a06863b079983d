import { createRequire } from 'node:module';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { Embedmill } from '../embedmill.ts';
import { npmFolder, npmPackages } from './npm-packages.ts';

/** Jina's embeddings through the AI SDK’s provider for them, at another address. */
const MODEL = 'all-MiniLM-L6-v2';
const missing = await npmPackages('jina', ['ai@5.0.277', 'jina-ai-provider@1.0.0', 'zod@4.6.7']);

/** What the test uses of the two packages. */
interface Sdk {
  embedMany: (asked: {
    model: unknown;
    values: string[];
    maxRetries?: number;
    providerOptions?: { jina: object };
  }) => Promise<{ embeddings: number[][]; usage: { tokens: number } }>;
}
interface Provider {
  createJina: (options: { baseURL: string; apiKey: string }) => {
    textEmbeddingModel: (name: string) => unknown;
  };
}

let mill: Embedmill;
let url: string;
beforeAll(async () => {
  mill = await Embedmill.up();
  ({ url } = await mill.state());
});
afterAll(() => mill?.stop());

const reason = missing === undefined ? '' : ` (skipped: ${missing})`;
test.skipIf(missing !== undefined)(`jina-ai-provider: roles, forms and raw vectors${reason}`, async () => {
  const load = createRequire(join(npmFolder('jina'), 'package.json'));
  const { embedMany } = load('ai') as Sdk;
  const { createJina } = load('jina-ai-provider') as Provider;
  const model = createJina({ baseURL: `${url}/v1`, apiKey: 'none' }).textEmbeddingModel(MODEL);
  const embed = async (jina: object, values = ['a whale', 'a bank']) =>
    (await embedMany({ model, values, maxRetries: 0, providerOptions: { jina } })).embeddings;
  const { data } = await mill.json<{ data: { embedding: number[] }[] }>('/v1/embeddings', {
    model: MODEL,
    input: ['a whale', 'a bank'],
  });
  const plain = data.map(({ embedding }) => embedding);
  expect(await embed({})).toEqual(plain);
  expect(await embed({ inputType: 'retrieval.query' })).toEqual(plain);
  const raw = await embed({ normalized: false });
  for (const [n, vector] of raw.entries()) {
    const length = Math.hypot(...vector);
    expect(Math.abs(length - 1)).toBeGreaterThan(0.1);
    for (const [d, value] of vector.entries()) expect(value / length).toBeCloseTo(plain[n]?.[d] ?? NaN, 6);
  }
  const bits = await embed({ embeddingType: 'ubinary' });
  expect(bits.map(({ length }) => length)).toEqual([48, 48]);
  await expect(embed({}, ['word '.repeat(2000)])).rejects.toThrow(/256 tokens/);
  await expect(embed({ inputType: 'separation' })).rejects.toThrow(/task/);
});
