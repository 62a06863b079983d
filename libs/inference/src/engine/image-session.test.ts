import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { InferenceSession, Tensor } from 'onnxruntime-node';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Tokenizer } from '@embedmill/tokenization';
import { ImageSession } from './image-session.ts';
import type { ImageModel } from './protocol.ts';

const FIXTURE = join(import.meta.dirname, '../../fixtures/two-tower-colours');
const tuning = {
  device: { kind: 'cpu', threads: 1 },
  graph: { level: 'all', without: [] },
} as const;
const model: ImageModel = {
  kind: 'image',
  path: join(FIXTURE, 'vision_model.onnx'),
  size: 32,
  mean: [0.48145466, 0.4578275, 0.40821073],
  std: [0.26862954, 0.26130258, 0.27577711],
  normalize: true,
  dims: 32,
};

const COLOURS = { red: [255, 0, 0], green: [0, 255, 0], blue: [0, 0, 255], yellow: [255, 255, 0] } as const;
type Colour = keyof typeof COLOURS;
const colours = Object.keys(COLOURS) as Colour[];

/** A square of one colour on black, at its own position. */
function square(colour: Colour, at = 4): Uint8Array {
  const pixels = new Uint8Array(32 * 32 * 3);
  for (let row = at; row < at + 24; row += 1) {
    for (let column = at; column < at + 24; column += 1) pixels.set(COLOURS[colour], (row * 32 + column) * 3);
  }
  return pixels;
}

const joined = (images: Uint8Array[]) => new Uint8Array(Buffer.concat(images));
const dot = (a: Float32Array, b: Float32Array) => a.reduce((sum, value, n) => sum + value * (b[n] ?? 0), 0);
const row = (vectors: Float32Array, n: number) => vectors.subarray(n * 32, (n + 1) * 32);

let session: ImageSession;
let folder = '';
beforeAll(async () => {
  session = await ImageSession.load(model, tuning);
  folder = await mkdtemp(join(tmpdir(), 'embedmill-image-session-'));
});
afterAll(() => rm(folder, { recursive: true }));

describe('ImageSession', () => {
  it('gives vectors of length 1, of the registered size', async () => {
    expect(session.dims).toBe(32);
    const vectors = await session.embed(joined(colours.map((colour) => square(colour))), 4);
    expect(vectors).toHaveLength(4 * 32);
    for (let n = 0; n < 4; n += 1) expect(dot(row(vectors, n), row(vectors, n))).toBeCloseTo(1, 5);
  });

  it('gives an image the same vector alone and beside others', async () => {
    const images = colours.map((colour, n) => square(colour, n));
    const together = await session.embed(joined(images), 4);
    // The larger batch runs first, because it leaves its pixels in the buffer.
    for (const [n, image] of images.entries()) {
      expect(await session.embed(image, 1)).toEqual(row(together, n).slice());
    }
  });

  it('computes what the graph says, from bytes scaled by mean and deviation', async () => {
    const plain = await ImageSession.load({ ...model, normalize: false }, tuning);
    const grey = (value: number) => new Uint8Array(32 * 32 * 3).fill(value);
    // The graph is linear: equal steps of grey are equal steps of the vector.
    const [dark, middle, light] = [0, 100, 200].map((value) => plain.embed(grey(value), 1));
    const [a, b, c] = [await dark!, await middle!, await light!];
    for (let n = 0; n < 32; n += 1) expect(c[n]! - b[n]!).toBeCloseTo(b[n]! - a[n]!, 4);
  });

  it('puts images where the text tower puts their words', async () => {
    const tokenizer = await Tokenizer.load({ path: join(FIXTURE, 'tokenizer.json'), maxTokens: 77 });
    const text = await InferenceSession.create(join(FIXTURE, 'text_model.onnx'));
    const encoded = await tokenizer.encode(
      colours.map((colour) => `A photo of the ${colour.toUpperCase()} square, nothing more`),
      'query',
    );
    const words: Float32Array[] = [];
    for (const { ids } of encoded) {
      const int64 = (values: bigint[]) => new Tensor('int64', BigInt64Array.from(values), [1, ids.length]);
      const input_ids = int64([...ids].map(BigInt));
      const attention_mask = int64([...ids].map(() => 1n));
      const { text_embeds } = await text.run({ input_ids, attention_mask });
      words.push(text_embeds?.data as Float32Array);
    }
    const images = await session.embed(joined(colours.map((colour) => square(colour))), 4);
    for (let n = 0; n < 4; n += 1) {
      const scores = colours.map((_, image) => dot(words[n]!, row(images, image)));
      expect(scores.indexOf(Math.max(...scores))).toBe(n);
    }
  });

  it('refuses pixels that are not so many images', async () => {
    await expect(session.embed(new Uint8Array(10), 1)).rejects.toMatchObject({ code: 'engine_failed' });
    await expect(session.embed(square('red'), 2)).rejects.toMatchObject({ code: 'engine_failed' });
  });

  it('refuses files that are no image tower, and says what they are', async () => {
    const load = (changes: Partial<ImageModel>) => ImageSession.load({ ...model, ...changes }, tuning);
    const torn = join(folder, 'torn.onnx');
    await writeFile(torn, 'no model');
    await expect(load({ path: join(folder, 'none.onnx') })).rejects.toMatchObject({
      code: 'model_unavailable',
    });
    await expect(load({ path: torn })).rejects.toMatchObject({ code: 'model_corrupt' });
    await expect(load({ dims: 512 })).rejects.toMatchObject({ code: 'model_corrupt' });
    await expect(load({ path: join(FIXTURE, 'text_model.onnx') })).rejects.toMatchObject({
      code: 'model_corrupt',
      message: expect.stringContaining('input_ids'),
    });
  });
});
