import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { copyFile, mkdtemp, readdir, readFile, rm, stat, truncate, writeFile } from 'node:fs/promises';
import { fork } from 'node:child_process';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, describe, expect, it } from 'vitest';
import { EngineProcess, type EngineBatch, type EngineEvent, type EngineProcessOptions } from './index.ts';

const repo = fileURLToPath(new URL('../../..', import.meta.url));
const shared = process.env['EMBEDMILL_SHARED'] ?? join(repo, '../shared');
const bundled = join(repo, 'models/all-MiniLM-L6-v2/model_int8.onnx');
const int8 = [bundled, join(shared, 'models/all-MiniLM-L6-v2/model_int8.onnx')].find((path) =>
  existsSync(path),
);
const extra = process.env['EMBEDMILL_MODELS_DIR'] ?? join(shared, 'models');
const fp32 = [join(extra, 'all-MiniLM-L6-v2/model.onnx')].find((path) => existsSync(path));
const fixed = [join(extra, 'static-minilm-256/model.onnx')].find((path) => existsSync(path));
const golden = [join(shared, 'golden/minilm.json')].find((path) => existsSync(path));

const FAULTY = new URL('./faulty-engine.ts', import.meta.url);
const CRASH = 30_001;
const HANG = 30_002;
const BEYOND_VOCABULARY = 999_999;

const cleanups: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

async function start(options: Partial<EngineProcessOptions> = {}, path = int8!): Promise<EngineProcess> {
  const engine = await EngineProcess.start({
    entry: FAULTY,
    model: { kind: 'dense', path, pooling: 'mean', normalize: true, padTokenId: 0 },
    device: { kind: 'cpu', threads: 1 },
    ...options,
  });
  cleanups.push(() => engine.close());
  return engine;
}

const batchOf = (sequences: number[][], urgent = false): EngineBatch => ({
  ids: Int32Array.from(sequences.flat()),
  lengths: Int32Array.from(sequences, ({ length }) => length),
  urgent,
});
const rows = (vectors: Float32Array, dims: number): Float32Array[] =>
  Array.from({ length: vectors.length / dims }, (_, row) => vectors.slice(row * dims, (row + 1) * dims));
const cosine = (a: Float32Array, b: number[]): number => {
  const dot = (x: ArrayLike<number>, y: ArrayLike<number>) =>
    Array.from(x).reduce((sum, value, d) => sum + value * y[d]!, 0);
  return dot(a, b) / Math.sqrt(dot(a, a) * dot(b, b));
};
const sentence = (seed: number, length: number): number[] => [
  101,
  ...Array.from({ length: length - 2 }, (_, at) => 1000 + ((seed * 7919 + at * 104_729) % 20_000)),
  102,
];
async function alive(pid: number): Promise<boolean> {
  try {
    process.kill(pid, 0);
    return !/^State:\s+Z/m.test(await readFile(`/proc/${pid}/status`, 'utf8'));
  } catch {
    return false;
  }
}
async function until(condition: () => boolean | Promise<boolean>, what: string): Promise<void> {
  const deadline = Date.now() + 90_000;
  while (!(await condition())) {
    if (Date.now() > deadline) throw new Error(`waited in vain: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

/** Generous, because other test suites may share the same two cores. */
const slow = { timeout: 180_000 };

describe.skipIf(int8 === undefined)('vectors (skipped without the int8 model)', slow, () => {
  /** Cosine similarities of the engine's vectors to the golden ones, in runs of four texts. */
  async function goldenCosines(engine: EngineProcess): Promise<number[]> {
    const { texts } = JSON.parse(await readFile(golden!, 'utf8')) as {
      texts: { ids_truncated_256: number[]; embedding_fp32: number[] }[];
    };
    const cosines: number[] = [];
    for (let at = 0; at < texts.length; at += 4) {
      const some = texts.slice(at, at + 4);
      const { vectors } = await engine.run(batchOf(some.map((text) => text.ids_truncated_256)));
      for (const [n, vector] of rows(vectors, 384).entries()) {
        cosines.push(cosine(vector, some[n]!.embedding_fp32));
      }
    }
    return cosines;
  }

  it.skipIf(golden === undefined)(
    'agree with fp32’s golden ones, in int8 (skipped without EMBEDMILL_SHARED)',
    async () => {
      const engine = await start();
      expect(engine.dims).toBe(384);
      expect(engine.peakRssBytes).toBeGreaterThan(50e6);
      const cosines = await goldenCosines(engine);
      expect(cosines).toHaveLength(40);
      expect(Math.min(...cosines)).toBeGreaterThan(0.988);
      expect(cosines.reduce((sum, one) => sum + one, 0) / 40).toBeGreaterThan(0.995);
    },
  );

  it.skipIf(golden === undefined || fp32 === undefined)(
    'agree with fp32’s golden ones, in fp32 (skipped without EMBEDMILL_SHARED)',
    async () => {
      const cosines = await goldenCosines(await start({}, fp32!));
      expect(cosines).toHaveLength(40);
      expect(Math.min(...cosines)).toBeGreaterThan(0.9999);
    },
  );

  const multilingual = join(repo, 'models/multilingual-e5-small-int8/model_int8.onnx');
  const e5 = { kind: 'dense', path: multilingual, pooling: 'mean', normalize: true, padTokenId: 1 } as const;
  const multilingualGolden = [join(shared, 'golden/multilingual-e5-small.json')].find((path) =>
    existsSync(path),
  );

  it.skipIf(multilingualGolden === undefined)(
    'of the bundled multilingual model agree with its fp32, and are the same bits alone and in any batch (skipped without EMBEDMILL_SHARED)',
    async () => {
      const golden = JSON.parse(await readFile(multilingualGolden!, 'utf8')) as {
        text: string;
        ids: number[];
        vector: number[];
      }[];
      expect(golden).toHaveLength(48);
      const engine = await start({ model: e5 });
      expect(engine.dims).toBe(384);
      const sequences = golden.map(({ ids }) => ids);
      const together = rows((await engine.run(batchOf(sequences))).vectors, 384);
      const backwards = rows((await engine.run(batchOf(sequences.toReversed()))).vectors, 384).reverse();
      const other = await start({ model: e5, device: { kind: 'cpu', threads: 2 } });
      for (const [n, { text, ids, vector }] of golden.entries()) {
        const alone = (await other.run(batchOf([ids]))).vectors;
        expect(together[n], text).toEqual(alone);
        expect(backwards[n], text).toEqual(alone);
        expect(cosine(alone, vector), text).toBeGreaterThanOrEqual(0.998);
      }
    },
  );

  it('are the same bits alone and in any batch, at any thread count', async () => {
    const sequences = Array.from({ length: 24 }, (_, n) => sentence(n, 3 + ((n * 37) % 120)));
    const engine = await start();
    const together = rows((await engine.run(batchOf(sequences))).vectors, 384);
    const backwards = rows((await engine.run(batchOf(sequences.toReversed()))).vectors, 384).reverse();
    const other = await start({ device: { kind: 'cpu', threads: 2 } });
    for (const [n, sequence] of sequences.entries()) {
      const alone = (await other.run(batchOf([sequence]))).vectors;
      expect(together[n]).toEqual(alone);
      expect(backwards[n]).toEqual(alone);
      expect(Math.hypot(...alone)).toBeCloseTo(1, 6);
    }
  });

  it('are those of the first token where the model asks for that, whatever follows', async () => {
    const model = { kind: 'dense', path: int8!, pooling: 'cls', normalize: true, padTokenId: 0 } as const;
    const [mean, cls] = await Promise.all([start(), start({ model })]);
    const [long, short] = [sentence(1, 40), [101]];
    const [ofLong, ofShort] = rows((await cls.run(batchOf([long, short]))).vectors, 384);
    expect(ofShort).toEqual((await mean.run(batchOf([short]))).vectors);
    expect(ofLong).toEqual((await cls.run(batchOf([long]))).vectors);
    expect(ofLong).not.toEqual((await mean.run(batchOf([long]))).vectors);
  });

  it('are the same from a graph that an earlier start has optimized, and from one that it could not keep', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'embedmill-engine-'));
    cleanups.push(() => rm(folder, { recursive: true }));
    const graphCache = join(folder, 'graph.onnx');
    const batch = batchOf([sentence(1, 40), sentence(2, 7)]);
    const { vectors } = await (await start()).run(batch);
    expect((await (await start({ graphCache })).run(batch)).vectors).toEqual(vectors);
    const { mtimeMs, size } = await stat(graphCache);
    expect(size).toBeGreaterThan(20e6);
    expect((await (await start({ graphCache })).run(batch)).vectors).toEqual(vectors);
    expect((await stat(graphCache)).mtimeMs).toBe(mtimeMs);
    await truncate(graphCache, 1000);
    expect((await (await start({ graphCache })).run(batch)).vectors).toEqual(vectors);
    expect((await stat(graphCache)).size).toBe(size);
    const nowhere = join(folder, 'no', 'such', 'folder', 'graph.onnx');
    expect((await (await start({ graphCache: nowhere })).run(batch)).vectors).toEqual(vectors);
    expect(await readdir(folder)).toEqual(['graph.onnx']);
  });

  it.skipIf(fp32 === undefined)(
    'are those of the CPU on WebGPU (skipped without EMBEDMILL_SHARED)',
    async ({ skip }) => {
      const gpu = await start({ device: { kind: 'webgpu' }, quiet: true }, fp32!).catch((error: unknown) => {
        if ((error as { code?: string }).code === 'model_unavailable') return undefined;
        throw error;
      });
      if (gpu === undefined) return skip('no WebGPU adapter here');
      const cpu = await start({}, fp32!);
      const batch = batchOf([sentence(1, 40), sentence(2, 7), sentence(3, 23)]);
      const expected = rows((await cpu.run(batch)).vectors, 384);
      for (const [n, vector] of rows((await gpu.run(batch)).vectors, 384).entries()) {
        expect(cosine(vector, [...expected[n]!])).toBeGreaterThan(0.9999);
      }
    },
  );

  it.skipIf(fixed === undefined)(
    'come as they are from a graph that pools itself (skipped without EMBEDMILL_SHARED)',
    async () => {
      const engine = await start({}, fixed!);
      expect(engine.dims).toBe(256);
      const { vectors } = await engine.run(batchOf([sentence(1, 9), sentence(2, 4)]));
      expect(vectors).toHaveLength(512);
      expect(Math.hypot(...vectors.slice(256))).toBeCloseTo(1, 5);
    },
  );
});

describe('an unusable model', slow, () => {
  it('is reported as unavailable when there is no file', async () => {
    await expect(start({}, '/nowhere/model.onnx')).rejects.toMatchObject({ code: 'model_unavailable' });
  });

  it('is reported as unavailable on a device that is not there, and that it needs', async ({ skip }) => {
    const cuda = { device: { kind: 'cuda', index: 7 }, quiet: true } as const;
    const started = await start(cuda).catch((error: unknown) => error);
    if (started instanceof EngineProcess) return skip('there is an eighth GPU here');
    expect(started).toMatchObject({
      code: 'model_unavailable',
      message: expect.stringMatching(/cannot be run on cuda:7.*CUDA libraries/) as string,
    });
  });

  it('is reported as corrupt when the file is no model', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'embedmill-engine-'));
    cleanups.push(() => rm(folder, { recursive: true }));
    const path = join(folder, 'model.onnx');
    await writeFile(path, 'not a model');
    await expect(start({}, path)).rejects.toMatchObject({ code: 'model_corrupt' });
  });

  it.skipIf(int8 === undefined)(
    'is reported as corrupt when cut short, or of another size (skipped without the int8 model)',
    async () => {
      const folder = await mkdtemp(join(tmpdir(), 'embedmill-engine-'));
      cleanups.push(() => rm(folder, { recursive: true }));
      const path = join(folder, 'model.onnx');
      await copyFile(int8!, path);
      await truncate(path, 10_000_000);
      await expect(start({}, path)).rejects.toMatchObject({ code: 'model_corrupt' });
      const model = {
        kind: 'dense',
        path: int8!,
        pooling: 'mean',
        normalize: true,
        padTokenId: 0,
        dims: 768,
      } as const;
      await expect(start({ model })).rejects.toMatchObject({
        code: 'model_corrupt',
        message: expect.stringContaining('768') as string,
      });
    },
  );

  it('is reported as unavailable when the engine dies while it starts', async () => {
    const entry = new URL('./no-such-engine.ts', import.meta.url);
    const model = { kind: 'dense', path: 'unused', pooling: 'mean', normalize: true, padTokenId: 0 } as const;
    await expect(
      EngineProcess.start({ entry, model, device: { kind: 'cpu', threads: 1 } }),
    ).rejects.toMatchObject({
      code: 'model_unavailable',
    });
  });

  it.skipIf(int8 === undefined)(
    'fails the waiting batch when it goes away for good, and is tried again by the next (skipped without the int8 model)',
    async () => {
      const folder = await mkdtemp(join(tmpdir(), 'embedmill-engine-'));
      cleanups.push(() => rm(folder, { recursive: true }));
      const path = join(folder, 'model.onnx');
      await copyFile(int8!, path);
      const events: EngineEvent[] = [];
      const engine = await start({ onEvent: (event) => events.push(event) }, path);
      await rm(path);
      process.kill(engine.pid!, 'SIGKILL');
      await until(() => events.some(({ kind }) => kind === 'died'), 'the engine dies');
      await expect(engine.run(batchOf([sentence(1, 8)]))).rejects.toMatchObject({
        code: 'model_unavailable',
      });
      expect(events.at(-1)).toMatchObject({ kind: 'down', error: { code: 'model_unavailable' } });
      await copyFile(int8!, path);
      expect((await engine.run(batchOf([sentence(1, 8)]))).vectors).toHaveLength(384);
    },
  );
});

describe.skipIf(int8 === undefined)('EngineProcess (skipped without the int8 model)', slow, () => {
  const good = batchOf([sentence(1, 12), sentence(2, 5)]);

  it('rejects only the batch that the model cannot run', async () => {
    const engine = await start();
    const bad = engine.run(batchOf([[101, BEYOND_VOCABULARY, 102]]));
    const after = engine.run(good);
    await expect(bad).rejects.toMatchObject({ code: 'engine_failed' });
    expect((await after).vectors).toHaveLength(2 * 384);
    expect(engine.restarts).toBe(0);
  });

  it('rejects what was in flight when the engine is killed, and comes back by itself', async () => {
    const events: EngineEvent[] = [];
    const engine = await start({ onEvent: (event) => events.push(event) });
    const before = (await engine.run(good)).vectors;
    const pid = engine.pid!;
    const lost = [
      engine.run(batchOf(Array.from({ length: 64 }, (_, n) => sentence(n, 128)))),
      engine.run(good),
    ];
    process.kill(pid, 'SIGKILL');
    for (const result of await Promise.allSettled(lost)) {
      expect(result).toMatchObject({ status: 'rejected', reason: { code: 'engine_crashed' } });
    }
    expect((await engine.run(good)).vectors).toEqual(before);
    expect(engine.restarts).toBe(1);
    expect(engine.pid).not.toBe(pid);
    expect(await alive(pid)).toBe(false);
    expect(events.map(({ kind }) => kind)).toEqual(['ready', 'died', 'ready']);
  });

  it('kills an engine that hangs, reports it, and starts another', async () => {
    const engine = await start({ deadlineMs: 500 });
    const pid = engine.pid!;
    await expect(engine.run(batchOf([[101, HANG, 102]]))).rejects.toMatchObject({ code: 'engine_timeout' });
    expect((await engine.run(good)).vectors).toHaveLength(2 * 384);
    expect(await alive(pid)).toBe(false);
    expect(engine.restarts).toBe(1);
  });

  it('lengthens the pause with each consecutive death, and resets it after a success', async () => {
    const pauses: number[] = [];
    const engine = await start({
      onEvent: (event) => {
        if (event.kind === 'died') pauses.push(event.pauseMs);
      },
    });
    const poison = batchOf([[101, CRASH, 102]]);
    for (let death = 0; death < 3; death += 1) await engine.run(poison).catch(() => undefined);
    await engine.run(good);
    await engine.run(poison).catch(() => undefined);
    expect(pauses).toEqual([25, 50, 100, 25]);
  });

  it('takes two batches and an urgent one, and runs the urgent one next', async () => {
    const engine = await start();
    const order: string[] = [];
    const long = batchOf(Array.from({ length: 8 }, (_, n) => sentence(n, 128)));
    const all = [
      engine.run(long).then(() => order.push('first')),
      engine.run(good).then(() => order.push('second')),
      engine.run(batchOf([sentence(3, 8)], true)).then(() => order.push('urgent')),
    ];
    await expect(engine.run(good)).rejects.toMatchObject({ code: 'overloaded' });
    await Promise.all(all);
    expect(order).toEqual(['first', 'urgent', 'second']);
  });

  it('ends its batches before it closes, and leaves no process', async () => {
    const engine = await start();
    const pid = engine.pid!;
    const running = [engine.run(good), engine.run(good)];
    await engine.close();
    for (const { vectors } of await Promise.all(running)) expect(vectors).toHaveLength(2 * 384);
    expect(await alive(pid)).toBe(false);
    await expect(engine.run(good)).rejects.toMatchObject({ code: 'engine_failed' });
  });

  it('survives SIGINT and SIGTERM, which are its parent’s to decide on', async () => {
    const engine = await start();
    const pid = engine.pid!;
    const running = engine.run(batchOf(Array.from({ length: 16 }, (_, n) => sentence(n, 128))));
    process.kill(pid, 'SIGINT');
    process.kill(pid, 'SIGTERM');
    expect((await running).vectors).toHaveLength(16 * 384);
    expect((await engine.run(good)).vectors).toHaveLength(2 * 384);
    expect(engine.pid).toBe(pid);
    expect(engine.restarts).toBe(0);
  });

  it('ends when its parent dies', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'embedmill-engine-'));
    cleanups.push(() => rm(folder, { recursive: true }));
    const path = join(folder, 'parent.ts');
    const index = new URL('./index.ts', import.meta.url).href;
    await writeFile(
      path,
      `import { EngineProcess } from ${JSON.stringify(index)};
       const engine = await EngineProcess.start(${JSON.stringify({
         model: { kind: 'dense', path: int8, pooling: 'mean', normalize: true, padTokenId: 0 },
         device: { kind: 'cpu', threads: 1 },
       }).replace('{', `{ entry: new URL(${JSON.stringify(FAULTY.href)}), `)});
       process.send(engine.pid);`,
    );
    const parent = fork(path, [], { execArgv: [] });
    cleanups.push(() => Promise.resolve(parent.kill('SIGKILL')));
    const [pid] = (await once(parent, 'message')) as [number];
    expect(await alive(pid)).toBe(true);
    parent.kill('SIGKILL');
    await until(async () => !(await alive(pid)), 'the engine ends');
  });
});
