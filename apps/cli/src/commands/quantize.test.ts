import { cpSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { runCommandLine } from '../command-line.ts';
import { DEMO_DOCUMENTS } from '../entries.ts';
import { Interruption } from '../stack/interruption.ts';

const REPOSITORY = fileURLToPath(new URL('../../../..', import.meta.url));
const TINY = join(REPOSITORY, 'libs/inference/fixtures/tiny-exports');
const SHARED = process.env['EMBEDMILL_SHARED'] ?? join(REPOSITORY, '../shared');
const MINILM = join(SHARED, 'models/all-MiniLM-L6-v2');
const WORDNET = DEMO_DOCUMENTS.english;

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'embedmill-quantize-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

async function run(...args: string[]): Promise<{ code: number; out: string; err: string }> {
  const written = { out: '', err: '' };
  const stream = (name: 'out' | 'err') => ({ write: (text: string) => (written[name] += text) });
  const code = await runCommandLine(args, {
    out: stream('out'),
    err: stream('err'),
    environment: { EMBEDMILL_DATA_DIR: folder },
    interruption: new Interruption(),
  });
  return { code, ...written };
}

interface Result {
  model: string;
  folder: string;
  layers: number;
  bytes: number;
  leastCosine: number;
  meanCosine: number;
  sameNearest: number;
  invariant: number;
  tried: number;
  speedup: number;
}

describe('a tiny encoder with layers behind its pooling', () => {
  const quantize = (...more: string[]) =>
    run('--json', 'quantize', join(TINY, 'projected'), '--calibrate', WORDNET, ...more);

  test('becomes a model of the models folder, whose vectors are near and the same in any batch', async () => {
    const { code, out, err } = await quantize();
    expect(err).toBe('');
    expect(code).toBe(0);
    const result = JSON.parse(out) as Result;
    expect(result).toMatchObject({ model: 'projected-int8', layers: 12 });
    expect(result.meanCosine).toBeGreaterThan(0.99);
    expect(result.leastCosine).toBeGreaterThan(0.95);
    expect(result.invariant).toBe(result.tried);
    expect(result.tried).toBe(64);
    const list = JSON.parse(readFileSync(join(folder, 'own-models/models.json'), 'utf8')) as {
      name: string;
    }[];
    expect(list.map(({ name }) => name)).toEqual(['projected-int8']);
    const said = JSON.parse(readFileSync(join(result.folder, 'embedmill.json'), 'utf8')) as object;
    expect(said).toMatchObject({ documentPrefix: 'title: none | text: ', batchInvariant: true });
    expect(existsSync(join(result.folder, '2_Dense/model.safetensors'))).toBe(true);
  });

  test('is made of the same bytes each time', async () => {
    const [one, other] = [await quantize('--name', 'one'), await quantize('--name', 'other')];
    const [first, second] = [one, other].map(({ out }) => {
      const { folder: made } = JSON.parse(out) as Result;
      return readFileSync(join(made, 'model.onnx'));
    });
    expect(first!.equals(second!)).toBe(true);
  });

  test('is not added where its vectors are too far off, and leaves nothing', async () => {
    const { code, err } = await quantize('--min-cosine', '1');
    expect(code).toBe(1);
    expect(err).toMatch(/mean cosine to float32, 0\.9\d+, is below 1, so projected-int8 was not added/);
    expect(existsSync(join(folder, 'own-models/projected-int8'))).toBe(false);
    expect(existsSync(join(folder, 'own-models/models.json'))).toBe(false);
  });

  test('keeps the name of another model from being taken', async () => {
    await quantize();
    const { code, err } = await quantize();
    expect(code).toBe(1);
    expect(err).toContain('the model projected-int8 already exists; choose another name with --name');
  });
});

describe('what cannot be quantized is refused with the reason', () => {
  test.each([
    ['all-MiniLM-L6-v2', /it is already quantized \(its graph has QuantizeLinear\); use its float32 file/],
    ['static-minilm-256', /its graph has no linear layers/],
    ['splade-tiny', /it is a sparse model; only dense models can be quantized/],
    ['nosuch', /there is no model "nosuch"/],
  ])('%s', async (model, reason) => {
    const { code, err } = await run('quantize', model, '--calibrate', WORDNET);
    expect(code).toBe(1);
    expect(err).toMatch(reason);
  });

  test('a decoder, by what it pools and by what its graph takes', async () => {
    const model = join(TINY, 'decoder');
    const byEntry = await run('quantize', model, '--calibrate', WORDNET);
    expect(byEntry.err).toMatch(/decoder cannot be quantized: it is a decoder \(it pools the last token\)/);
    const pooledByMean = join(folder, 'mean');
    cpSync(model, pooledByMean, { recursive: true });
    writeFileSync(join(pooledByMean, 'embedmill.json'), JSON.stringify({ pooling: 'mean' }));
    const byGraph = await run('quantize', pooledByMean, '--calibrate', WORDNET);
    expect(byGraph.err).toMatch(/it is a decoder \(its graph takes keys and values of earlier tokens\)/);
  });

  test.each([
    ['no texts', '', /has no texts; at least 64 are required/],
    ['few texts', 'one\ntwo\n', /has 2 different texts; at least 64/],
    ['a line that is no JSON', '{"text": "a"}\n{"text": \n', /line 2 is not JSON/],
    ['a document without text', '{"id": "a"}\n', /line 1 has no "text"/],
    ['an array of something else', '[1, 2]', /document 1 has no "text"/],
  ])('a calibration file with %s', async (_, content, reason) => {
    const file = join(folder, 'texts.ndjson');
    writeFileSync(file, content);
    const { code, err } = await run('quantize', join(TINY, 'projected'), '--calibrate', file);
    expect(code).toBe(1);
    expect(err).toMatch(reason);
  });

  test('a calibration file that is not there', async () => {
    const { code, err } = await run(
      'quantize',
      join(TINY, 'projected'),
      '--calibrate',
      join(folder, 'nowhere'),
    );
    expect(code).toBe(2);
    expect(err).toMatch(/nowhere cannot be read/);
  });
});

describe.skipIf(!existsSync(MINILM))('all-MiniLM-L6-v2 in float32 (skipped without EMBEDMILL_SHARED)', () => {
  test(
    'keeps its vectors to a cosine of 0.985 at least and 0.994 on average',
    { timeout: 240_000 },
    async () => {
      const some = readFileSync(WORDNET, 'utf8')
        .split('\n')
        .filter((_, n) => n % 15 === 0);
      const file = join(folder, 'some.ndjson');
      writeFileSync(file, some.join('\n'));
      const { code, out, err } = await run('--json', 'quantize', MINILM, '--calibrate', file);
      expect(err).toBe('');
      expect(code).toBe(0);
      const result = JSON.parse(out) as Result;
      expect(result.layers).toBe(36);
      expect(result.leastCosine).toBeGreaterThanOrEqual(0.985);
      expect(result.meanCosine).toBeGreaterThanOrEqual(0.994);
      expect(result.sameNearest).toBeGreaterThan(0.85);
      expect(result.invariant).toBe(result.tried);
      expect(result.bytes).toBeLessThan(25e6);
    },
  );
});
