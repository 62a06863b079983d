import { EventEmitter, once } from 'node:events';
import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setImmediate } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { EngineProcess, type Engine, type EngineBatch, type EngineResult } from '@embedmill/inference';
import { EmbedmillError, type ErrorCode } from '@embedmill/jobs';
import { withLogFields } from '@embedmill/logs';
import fc from 'fast-check';
import { afterEach, describe, expect, it } from 'vitest';
import {
  Encoder,
  type BatchFailure,
  type BatchReport,
  type EncoderOptions,
  type Outcome,
} from './encoder.ts';

const repo = fileURLToPath(new URL('../../..', import.meta.url));
const shared = process.env['EMBEDMILL_SHARED'] ?? join(repo, '../shared');
const int8 = [repo, shared]
  .map((root) => join(root, 'models/all-MiniLM-L6-v2/model_int8.onnx'))
  .find((path) => existsSync(path));
const golden = [join(shared, 'golden/minilm.json')].find((path) => existsSync(path));

const REAL = new URL('./engine.ts', import.meta.url);
/** Wraps the real engine with faults on demand; for tests only. */
const FAULTY = new URL('../../../libs/inference/src/faulty-engine.ts', import.meta.url);
const CRASH = 30_001;
const HANG = 30_002;

const cleanups: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
  delete process.env['ORT_FAULTY_ENGINE_AREA'];
});

/** Token ids of a made-up sentence; equal seeds and lengths give equal ones. */
function sentence(seed: number, length: number): Int32Array {
  const word = (at: number) => 1000 + ((seed * 7919 + at * 104_729) % 20_000);
  return Int32Array.from({ length }, (_, at) => (at === 0 ? 101 : at === length - 1 ? 102 : word(at)));
}
/** Heavy-tailed lengths, like those of texts. */
const corpus = (count: number, seed = 0): Int32Array[] =>
  Array.from({ length: count }, (_, n) =>
    sentence(seed + n, 5 + (n % 7 === 0 ? (n * 53) % 200 : (n * 17) % 50)),
  );
const asSequences = (all: readonly Int32Array[]) => all.map((ids) => ({ ids }));
const vectorsOf = (outcomes: Outcome[]): Float32Array[] =>
  outcomes.map((outcome) => {
    if (!outcome.ok) throw outcome.error;
    return outcome.vector;
  });
const codesOf = (outcomes: Outcome[]): (ErrorCode | 'ok')[] =>
  outcomes.map((outcome) => (outcome.ok ? 'ok' : outcome.error.code));
const cosine = (a: Float32Array, b: number[]): number =>
  a.reduce((sum, value, d) => sum + value * b[d]!, 0) / Math.hypot(...a) / Math.hypot(...b);

/** Generous, because other test suites may share the same two cores. */
const slow = { timeout: 180_000 };

describe.skipIf(int8 === undefined)(
  'Encoder with the real engine (skipped without the int8 model)',
  slow,
  () => {
    async function start(options: { entry?: URL; deadlineMs?: number; area?: number } = {}): Promise<{
      encoder: Encoder;
      engine: EngineProcess;
      batches: BatchReport[];
      /** Resolves once this many more batches have run. */
      moreBatches: (count: number) => Promise<void>;
    }> {
      const engine = await EngineProcess.start({
        entry: options.entry ?? REAL,
        model: { kind: 'dense', path: int8!, pooling: 'mean', normalize: true, padTokenId: 0 },
        device: { kind: 'cpu', threads: 1 },
        deadlineMs: options.deadlineMs ?? 30_000,
      });
      const batches: BatchReport[] = [];
      const reports = new EventEmitter();
      const hooks = {
        onBatch: (report: BatchReport) => {
          batches.push(report);
          reports.emit('batch');
        },
      };
      const moreBatches = async (count: number): Promise<void> => {
        for (let seen = 0; seen < count; seen += 1) await once(reports, 'batch');
      };
      const encoder = new Encoder({ engines: [engine], budget: { area: options.area }, hooks });
      cleanups.push(() => encoder.close());
      return { encoder, engine, batches, moreBatches };
    }

    it.skipIf(golden === undefined)(
      'agrees with the golden vectors (skipped without EMBEDMILL_SHARED)',
      async () => {
        const { texts } = JSON.parse(await readFile(golden!, 'utf8')) as {
          texts: { ids_truncated_256: number[]; embedding_fp32: number[] }[];
        };
        const { encoder } = await start();
        const sequences = texts.map((text) => Int32Array.from(text.ids_truncated_256));
        const vectors = vectorsOf(await encoder.encode(asSequences(sequences), 'bulk'));
        const cosines = vectors.map((vector, n) => cosine(vector, texts[n]!.embedding_fp32));
        expect(cosines).toHaveLength(40);
        expect(Math.min(...cosines)).toBeGreaterThan(0.988);
      },
    );

    it('gives each sequence the bits it gets alone, and pads next to nothing', async () => {
      const { encoder, batches } = await start();
      expect(encoder.dims).toBe(384);
      const shards = [0, 1, 2].map((shard) => corpus(80, shard * 1000));
      const together = await Promise.all(shards.map((shard) => encoder.encode(asSequences(shard), 'bulk')));
      const padded = batches.reduce((sum, batch) => sum + batch.paddedTokens, 0);
      const tokens = batches.reduce((sum, batch) => sum + batch.tokens, 0);
      expect(tokens).toBe(shards.flat().reduce((sum, { length }) => sum + length, 0));
      expect(padded / tokens).toBeLessThan(1.08);
      expect(Math.max(...batches.map((batch) => batch.paddedTokens))).toBeLessThanOrEqual(512);
      for (const [shard, sequences] of shards.entries()) {
        const vectors = vectorsOf(together[shard]!);
        for (let n = 0; n < sequences.length; n += 17) {
          expect(vectorsOf(await encoder.encode(asSequences([sequences[n]!]), 'interactive'))).toEqual([
            vectors[n],
          ]);
        }
      }
    });

    it('loses nothing when the engine is killed again and again', async () => {
      const { encoder, engine, moreBatches } = await start();
      const sequences = corpus(200);
      const expected = vectorsOf(await encoder.encode(asSequences(sequences), 'bulk'));
      const again = encoder.encode(asSequences(sequences), 'bulk');
      for (let kills = 0; kills < 3; kills += 1) {
        // More than can have been in flight, so the previous engine has been restarted.
        await moreBatches(3);
        process.kill(engine.pid!, 'SIGKILL');
      }
      expect(vectorsOf(await again)).toEqual(expected);
      expect(engine.restarts).toBe(3);
    });

    it('fails the one sequence that crashes the engine each time, and none of its neighbours', async () => {
      const { encoder, engine } = await start({ entry: FAULTY });
      const sequences = corpus(60);
      const expected = vectorsOf(await encoder.encode(asSequences(sequences), 'bulk'));
      const poisoned = sequences.toSpliced(30, 0, Int32Array.of(101, CRASH, 1012, 1013, 102));
      const outcomes = await encoder.encode(asSequences(poisoned), 'bulk');
      expect(codesOf(outcomes).filter((code) => code !== 'ok')).toEqual(['engine_crashed']);
      expect(outcomes[30]!.ok).toBe(false);
      expect(vectorsOf(outcomes.toSpliced(30, 1))).toEqual(expected);
      expect(engine.restarts).toBeGreaterThan(2);
    });

    it('fails the one sequence that hangs the engine each time, and none of its neighbours', async () => {
      const { encoder } = await start({ entry: FAULTY, deadlineMs: 600 });
      const sequences = [...corpus(3), Int32Array.of(101, HANG, 102)];
      const codes = codesOf(await encoder.encode(asSequences(sequences), 'bulk'));
      expect(codes).toEqual(['ok', 'ok', 'ok', 'engine_timeout']);
    });

    it('fails the one sequence that the model refuses, without a restart', async () => {
      const { encoder, engine } = await start();
      const sequences = corpus(40);
      const outcomes = await encoder.encode(
        asSequences([...sequences, Int32Array.of(101, 999_999, 102)]),
        'bulk',
      );
      expect(codesOf(outcomes)).toEqual([...sequences.map(() => 'ok'), 'engine_failed']);
      expect(engine.restarts).toBe(0);
    });

    it('halves the area when memory runs out, and remembers it', async () => {
      process.env['ORT_FAULTY_ENGINE_AREA'] = '128';
      const { encoder, batches } = await start({ entry: FAULTY });
      const sequences = corpus(100).filter(({ length }) => length <= 128);
      expect(new Set(codesOf(await encoder.encode(asSequences(sequences), 'bulk')))).toEqual(new Set(['ok']));
      expect(encoder.area).toBeLessThanOrEqual(128);
      expect(encoder.area).toBeGreaterThanOrEqual(64);
      const before = encoder.area;
      batches.length = 0;
      await encoder.encode(asSequences(corpus(100, 5000).filter(({ length }) => length <= 64)), 'bulk');
      expect(Math.max(...batches.map(({ paddedTokens }) => paddedTokens))).toBeLessThanOrEqual(128);
      expect(encoder.area).toBe(before);
    });

    it('answers a query after the batch that runs, however much bulk waits', async () => {
      const { encoder, batches, moreBatches } = await start();
      const bulk = encoder.encode(asSequences(corpus(350)), 'bulk');
      const overtaking: number[] = [];
      for (let query = 0; query < 5; query += 1) {
        await moreBatches(2);
        const before = batches.length;
        await encoder.encode(asSequences([sentence(9000 + query, 9)]), 'interactive');
        overtaking.push(batches.slice(before).filter(({ lane }) => lane === 'bulk').length);
      }
      const meanwhile = batches.length;
      await bulk;
      expect(batches.length).toBeGreaterThan(meanwhile + 5);
      // The batch that was running when the query came, and perhaps one that was just starting.
      expect(Math.max(...overtaking)).toBeLessThanOrEqual(2);
    });
  },
);

/** A fake engine: a vector is [sum of ids, length]; the test decides what it does with a batch. */
class FakeEngine implements Engine {
  readonly dims = 2;
  readonly outputs = ['dense'] as const;
  readonly capacity = 2;
  readonly batches: number[][][] = [];
  inFlight = 0;
  mostInFlight = 0;
  closed = false;
  readonly #act: (sequences: number[][]) => Promise<void>;

  constructor(act: (sequences: number[][]) => Promise<void> = () => Promise.resolve()) {
    this.#act = act;
  }

  async run({ ids, lengths }: EngineBatch): Promise<EngineResult> {
    let at = 0;
    const sequences = Array.from(lengths, (length) => [...ids.subarray(at, (at += length))]);
    this.batches.push(sequences);
    this.inFlight += 1;
    this.mostInFlight = Math.max(this.mostInFlight, this.inFlight);
    try {
      await setImmediate();
      await this.#act(sequences);
    } finally {
      this.inFlight -= 1;
    }
    return { vectors: Float32Array.from(sequences.flatMap(vectorOf)), seconds: 0.001 };
  }

  close(): Promise<void> {
    this.closed = true;
    return Promise.resolve();
  }
}
const vectorOf = (ids: number[]): number[] => [ids.reduce((sum, id) => sum + id, 0), ids.length];

function fake(
  act?: (sequences: number[][]) => Promise<void>,
  options: Partial<EncoderOptions> = {},
): { encoder: Encoder; engine: FakeEngine } {
  const engine = new FakeEngine(act);
  const encoder = new Encoder({ engines: [engine], budget: { area: 64 }, ...options });
  cleanups.push(() => encoder.close());
  return { encoder, engine };
}

/** An act that holds every batch until the gate is opened. */
function gate(): { act: () => Promise<void>; open: () => void } {
  const { promise, resolve } = Promise.withResolvers<void>();
  return { act: () => promise, open: resolve };
}
const settle = async (): Promise<void> => {
  for (let turn = 0; turn < 10; turn += 1) await setImmediate();
};

describe('Encoder with a fake engine', () => {
  it('settles each sequence once and rightly, whatever fails: the innocent live, the culprits fail', async () => {
    const poisons: (ErrorCode | undefined)[] = [
      'engine_crashed',
      'engine_failed',
      'out_of_memory',
      'engine_timeout',
    ];
    const sequence = fc.record({
      length: fc.integer({ min: 1, max: 100 }),
      poison: fc.oneof(
        { weight: 12, arbitrary: fc.constant(undefined) },
        { weight: 1, arbitrary: fc.constantFrom(...poisons) },
      ),
      // External kills that hit this sequence: twice is bad luck, and must have no effect.
      kills: fc.oneof(
        { weight: 6, arbitrary: fc.constant(0) },
        { weight: 1, arbitrary: fc.integer({ min: 1, max: 2 }) },
      ),
    });
    await fc.assert(
      fc.asyncProperty(
        fc.array(sequence, { maxLength: 40 }),
        fc.integer({ min: 1, max: 3 }),
        async (sequences, calls) => {
          const kills = sequences.map((one) => one.kills);
          const engine = new FakeEngine(async (batch) => {
            for (const [id] of batch) {
              const n = id! - 1000;
              const culprit = sequences[n]?.poison;
              if (culprit !== undefined) throw new EmbedmillError(culprit, 'poison');
            }
            const hit = batch.find(([id]) => (kills[id! - 1000] ?? 0) > 0);
            if (hit === undefined) return;
            for (const [id] of batch) kills[id! - 1000] = Math.max(0, kills[id! - 1000]! - 1);
            throw new EmbedmillError('engine_crashed', 'killed');
          });
          const encoder = new Encoder({ engines: [engine, engine], budget: { area: 200 } });
          const ids = sequences.map(({ length }, n) => new Int32Array(length).fill(1000 + n));
          const parts = Array.from({ length: calls }, (_, call) => ids.filter((_, n) => n % calls === call));
          const outcomes = (
            await Promise.all(parts.map((part) => encoder.encode(asSequences(part), 'bulk')))
          ).map((part) => part.values());
          for (const [n, { poison, length }] of sequences.entries()) {
            const outcome = outcomes[n % calls]!.next().value;
            if (poison === undefined)
              expect(outcome).toEqual({ ok: true, vector: Float32Array.of((1000 + n) * length, length) });
            else expect(outcome).toMatchObject({ ok: false, error: { code: poison } });
          }
          await encoder.close();
        },
      ),
      { numRuns: 60 },
    );
  });

  it('says of each batch that failed which shards are in it, and what is done about it', async () => {
    const POISON = 777;
    const failures: BatchFailure[] = [];
    const batches: number[] = [];
    const refuse = async (sequences: number[][]): Promise<void> => {
      if (sequences.flat().includes(POISON)) throw new EmbedmillError('engine_failed', 'refused');
    };
    const { encoder } = fake(refuse, {
      hooks: {
        onBatch: ({ batch }) => batches.push(batch),
        onBatchFailed: (failure) => failures.push(failure),
      },
    });
    const embed = (shard: number, ids: Int32Array) =>
      withLogFields({ job: 'job_a', shard }, () => encoder.encode(asSequences([ids]), 'bulk'));
    const outcomes = await Promise.all([embed(0, Int32Array.of(1, 2)), embed(1, Int32Array.of(1, POISON))]);
    expect(outcomes.flat().map(({ ok }) => ok)).toEqual([true, false]);
    expect(failures[0]).toMatchObject({
      batch: 1,
      lane: 'bulk',
      items: 2,
      error: { code: 'engine_failed' },
      next: 'halves',
      shards: ['job_a-0', 'job_a-1'],
    });
    expect(failures.slice(1).map(({ shards }) => shards)).toEqual(
      Array.from({ length: 3 }, () => ['job_a-1']),
    );
    expect(failures.map(({ next }) => next)).toEqual(['halves', 'whole', 'whole', 'failed']);
    const numbers = [...batches, ...failures.map(({ batch }) => batch)];
    expect(new Set(numbers).size).toBe(numbers.length);
  });

  it('has two bulk batches in flight, not more, and one interactive on top', async () => {
    const { act, open } = gate();
    const { encoder, engine } = fake(act);
    const bulk = encoder.encode(asSequences(corpus(50)), 'bulk');
    await settle();
    expect(engine.inFlight).toBe(2);
    const queries = [
      encoder.encode(asSequences([sentence(1, 4)]), 'interactive'),
      encoder.encode(asSequences([sentence(2, 4)]), 'interactive'),
    ];
    await settle();
    expect(engine.inFlight).toBe(3);
    open();
    await Promise.all([bulk, ...queries]);
    expect(engine.mostInFlight).toBe(3);
  });

  it('lets bulk callers wait while the window is full, in the order they came', async () => {
    const { act, open } = gate();
    const { encoder, engine } = fake(act, { windowTokens: 100, budget: { area: 20 } });
    const order: string[] = [];
    const calls = ['first', 'second', 'third'].map((name, call) =>
      encoder
        .encode(asSequences([0, 1, 2, 3, 4, 5, 6, 7].map((n) => sentence(call * 10 + n, 10))), 'bulk')
        .then(() => order.push(name)),
    );
    await settle();
    expect(engine.batches.flat().length).toBe(4);
    open();
    await Promise.all(calls);
    expect(order).toEqual(['first', 'second', 'third']);
    expect(engine.batches.flat()).toHaveLength(24);
  });

  it('takes a sequence that is longer than the window and the area', async () => {
    const { encoder } = fake(undefined, { windowTokens: 10, budget: { area: 8 } });
    expect(
      codesOf(await encoder.encode(asSequences([sentence(1, 50), sentence(2, 50), sentence(3, 2)]), 'bulk')),
    ).toEqual(['ok', 'ok', 'ok']);
  });

  it('turns queries away beyond their bound, though never the only one', async () => {
    const { act, open } = gate();
    const { encoder } = fake(act, { interactiveTokens: 20 });
    const large = encoder.encode(asSequences([sentence(1, 30)]), 'interactive');
    await expect(encoder.encode(asSequences([sentence(2, 3)]), 'interactive')).rejects.toMatchObject({
      code: 'overloaded',
      retryAfter: 1,
    });
    open();
    expect(codesOf(await large)).toEqual(['ok']);
    expect(codesOf(await encoder.encode(asSequences([sentence(2, 3)]), 'interactive'))).toEqual(['ok']);
  });

  it('computes equal sequences of a window once', async () => {
    const { encoder, engine } = fake();
    const calls = [sentence(1, 9), sentence(2, 9), sentence(1, 9)];
    const [first, second] = await Promise.all([
      encoder.encode(asSequences(calls), 'bulk'),
      encoder.encode(asSequences(calls), 'bulk'),
    ]);
    expect(engine.batches.flat()).toHaveLength(2);
    expect(first).toEqual(second);
    expect(first[2]).toEqual(first[0]);
    expect(first[1]).not.toEqual(first[0]);
  });

  it('fails an empty sequence, and a vector that is not finite', async () => {
    const { encoder, engine } = fake();
    expect(codesOf(await encoder.encode(asSequences([new Int32Array()]), 'bulk'))).toEqual(['empty_text']);
    engine.run = () => Promise.resolve({ vectors: Float32Array.of(NaN, 1), seconds: 0 });
    expect(codesOf(await encoder.encode(asSequences([sentence(1, 4)]), 'bulk'))).toEqual(['engine_failed']);
  });

  it('rejects the call, not the sequences, when there is no model to run them', async () => {
    let broken = true;
    const { encoder } = fake(() =>
      broken ? Promise.reject(new EmbedmillError('model_unavailable', 'gone')) : Promise.resolve(),
    );
    await expect(encoder.encode(asSequences(corpus(20)), 'bulk')).rejects.toMatchObject({
      code: 'model_unavailable',
    });
    broken = false;
    expect(new Set(codesOf(await encoder.encode(asSequences(corpus(20)), 'bulk')))).toEqual(new Set(['ok']));
  });

  it('ends what it took before it closes its engines, and takes nothing after', async () => {
    const { act, open } = gate();
    const { encoder, engine } = fake(act, { windowTokens: 50 });
    const running = encoder.encode(asSequences(corpus(20)), 'bulk');
    await settle();
    const closing = encoder.close();
    await expect(encoder.encode(asSequences(corpus(1)), 'interactive')).rejects.toMatchObject({
      code: 'no_worker',
    });
    expect(engine.closed).toBe(false);
    open();
    await closing;
    expect(engine.closed).toBe(true);
    expect(new Set(codesOf(await running))).toEqual(new Set(['ok']));
  });

  it('abandoned, drops what waits, ends what runs, and closes its engines', async () => {
    const { act, open } = gate();
    const { encoder, engine } = fake(act, { windowTokens: 200, budget: { area: 20 } });
    const sentences = (first: number) => Array.from({ length: 20 }, (_, n) => sentence(first + n, 10));
    const taken = encoder.encode(asSequences(sentences(0)), 'bulk');
    const waitsForRoom = expect(encoder.encode(asSequences(sentences(100)), 'bulk')).rejects.toMatchObject({
      code: 'no_worker',
    });
    await settle();
    expect(engine.inFlight).toBe(2);
    const closed = encoder.abandon();
    await waitsForRoom;
    open();
    await closed;
    const codes = codesOf(await taken);
    expect(codes.filter((code) => code === 'ok')).toHaveLength(4);
    expect(codes.filter((code) => code === 'no_worker')).toHaveLength(16);
    expect(engine.batches.flat()).toHaveLength(4);
    expect(engine.closed).toBe(true);
  });

  it('abandoned, tries nothing again that fails', async () => {
    const { act, open } = gate();
    const { encoder, engine } = fake(async () => {
      await act();
      throw new EmbedmillError('engine_crashed', 'killed');
    });
    const taken = encoder.encode(asSequences([sentence(1, 9)]), 'bulk');
    await settle();
    const closed = encoder.abandon();
    open();
    await closed;
    expect(codesOf(await taken)).toEqual(['engine_crashed']);
    expect(engine.batches).toHaveLength(1);
  });

  it('takes no more of a call whose signal is aborted, and goes on with others', async () => {
    const { act, open } = gate();
    const { encoder, engine } = fake(act, { windowTokens: 100, budget: { area: 20 } });
    const leaving = new AbortController();
    const left = encoder.encode(
      asSequences(Array.from({ length: 50 }, (_, n) => sentence(n, 10))),
      'bulk',
      undefined,
      leaving.signal,
    );
    const others = encoder.encode(
      asSequences(Array.from({ length: 20 }, (_, n) => sentence(100 + n, 10))),
      'bulk',
    );
    await settle();
    leaving.abort(new Error('not wanted any more'));
    open();
    await expect(left).rejects.toThrow('not wanted any more');
    expect(new Set(codesOf(await others))).toEqual(new Set(['ok']));
    // From the remaining call: what the window held.
    expect(engine.batches.flat()).toHaveLength(10 + 20);
  });

  it('feeds several engines at once', async () => {
    const { act, open } = gate();
    const engines = [new FakeEngine(act), new FakeEngine(act), new FakeEngine(act)];
    const encoder = new Encoder({ engines, budget: { area: 20 } });
    cleanups.push(() => encoder.close());
    const bulk = encoder.encode(asSequences(corpus(60)), 'bulk');
    await settle();
    expect(engines.map(({ inFlight }) => inFlight)).toEqual([2, 2, 2]);
    open();
    await bulk;
  });
});
