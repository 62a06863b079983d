/**
 * The yardsticks for the pipeline, each in its own process: `U`, ONNX Runtime alone, the upper limit; `E0`, our
 * tokenizer, planner and engines alone; `P`, the same through the package @embedmill/embed; `N32` and `N256`, a naive
 * loop over the documents that pads batches of a fixed size and uses ONNX Runtime's defaults: one session for all CPUs,
 * with every optimization. All run the same model file on the same CPUs with the same texts.
 */
import { setTimeout } from 'node:timers/promises';
import { assertDense, ModelEmbedder, startEngines, type EnginePlan } from '@embedmill/embed/pipeline';
import { BareSession, engineModel, type EngineBatch, type EngineLayout } from '@embedmill/inference';
import type { Document } from '@embedmill/jobs';
import type { ResolvedModel } from '@embedmill/models';
import { Tokenizer } from '@embedmill/tokenization';
import { ServedModel } from '../served-model.ts';
import { batchOf, feed, paddedTokens, sortedBatches, type Run } from './feeding.ts';

export interface Yardstick {
  /** A description for the report. */
  readonly detail: string;
  /** Runs repeatedly over the documents for about this many seconds. */
  run(seconds: number): Promise<Run>;
  /** For those with an interactive lane: the latency of its queries under bulk load. */
  latency?(seconds: number): Promise<Latency>;
  close(): Promise<void>;
}

/** In milliseconds: of queries, each sent a moment after the previous answer, and of the mean bulk batch. */
export interface Latency {
  queries: number;
  p50: number;
  p95: number;
  batchMs: number;
}

export interface YardstickInput {
  model: ResolvedModel;
  plan: EnginePlan;
  documents: Document[];
}

const entry = new URL(
  import.meta.url.endsWith('.ts') ? '../bare-session.ts' : './bare-session.js',
  import.meta.url,
);

/** The number of documents in a shard, and of shards in progress in a worker. */
const SHARD_DOCUMENTS = 256;
const SHARDS = 4;

const DEADLINE_MS = 600_000;

const PAUSE_BETWEEN_QUERIES_MS = 20;

/** The areas around the plan's own in which the limit is searched, and the time for each. */
const AREAS = [0.5, 0.75, 1, 1.5, 2];
const LOOKS = 3;
/** The share of the measurement's time used for the search. */
const LOOK_SHARE = 1 / 16;

/** The limit: the best layout and area that can be found for bare sessions, with batches sorted over all documents. */
export async function openLimit(
  { model, plan, documents }: YardstickInput,
  seconds: number,
): Promise<Yardstick> {
  const { sequences } = await tokenized(model, documents);
  const layouts = layoutsOf(plan);
  const candidates = layouts.flatMap((layout) =>
    AREAS.map((share) => ({ layout, area: Math.round(plan.area * share) })),
  );
  let best: Limit | undefined;
  let bestRate = 0;
  for (const { layout, area } of candidates) {
    const limit = await Limit.start(model, plan, sequences, layout, area);
    const rates: number[] = [];
    for (let look = 0; look < LOOKS; look += 1)
      rates.push((await limit.run(seconds * LOOK_SHARE)).tokensPerSecond);
    const rate = rates.toSorted((a, b) => a - b)[LOOKS >> 1] ?? 0;
    const worse = rate > bestRate ? best : limit;
    if (rate > bestRate) [best, bestRate] = [limit, rate];
    await worse?.close();
  }
  const limit = best;
  if (limit === undefined) throw new Error('no bare session could be started');
  const perToken = documents.length / sequences.reduce((sum, { length }) => sum + length, 0);
  return {
    detail: limit.detail,
    async run(wanted) {
      const { tokensPerSecond, padding } = await limit.run(wanted);
      const tokens = tokensPerSecond * wanted;
      return { documents: tokens * perToken, tokens, paddedTokens: tokens * padding, seconds: wanted };
    },
    close: () => limit.close(),
  };
}

/** The plan's own layout, and the one with all threads in one session. */
function layoutsOf(plan: EnginePlan): EngineLayout[] {
  const all = threadsOf(plan);
  const layouts = [
    { processes: all, threads: 1 },
    { processes: 1, threads: all },
    { processes: plan.devices.length, threads: all / plan.devices.length },
  ];
  return layouts.filter(
    ({ processes }, n) => layouts.findIndex((other) => other.processes === processes) === n,
  );
}

function threadsOf({ devices }: EnginePlan): number {
  return devices.reduce((sum, device) => sum + (device.kind === 'cpu' ? device.threads : 1), 0);
}

class Limit {
  readonly detail: string;
  readonly #sessions: BareSession[];
  readonly #padding: number;

  private constructor(sessions: BareSession[], padding: number, detail: string) {
    this.#sessions = sessions;
    this.#padding = padding;
    this.detail = detail;
  }

  static async start(
    model: ResolvedModel,
    { graph, launchCost }: EnginePlan,
    sequences: Int32Array[],
    { processes, threads }: EngineLayout,
    area: number,
  ): Promise<Limit> {
    const batches = sortedBatches(sequences, area, launchCost);
    const share = (process: number): EngineBatch[] => batches.filter((_, n) => n % processes === process);
    const sessions = await Promise.all(
      Array.from({ length: processes }, (_, process) =>
        BareSession.start({ entry, model: engineModel(model), graph, threads, batches: share(process) }),
      ),
    );
    const sum = (of: (batch: EngineBatch) => number) => batches.reduce((all, batch) => all + of(batch), 0);
    const padding = sum(paddedTokens) / sum(({ ids }) => ids.length);
    return new Limit(sessions, padding, `${processes} × ${threads} threads, area ${area}`);
  }

  async run(seconds: number): Promise<{ tokensPerSecond: number; padding: number }> {
    const rates = await Promise.all(this.#sessions.map((session) => session.run(seconds)));
    return { tokensPerSecond: rates.reduce((sum, rate) => sum + rate, 0), padding: this.#padding };
  }

  async close(): Promise<void> {
    await Promise.all(this.#sessions.map((session) => session.close()));
  }
}

/** Text to vectors as in a worker, without queue, source and store. */
export async function openEncoder({ model, plan, documents }: YardstickInput): Promise<Yardstick> {
  let run: Run = { documents: 0, tokens: 0, paddedTokens: 0, seconds: 0 };
  let batches = { count: 0, seconds: 0 };
  const { area, launchCost } = plan;
  const served = await ServedModel.load(model, {
    start: async () => ({
      engines: await startEngines(model, { plan, batchDeadlineMs: DEADLINE_MS }),
      budget: { area, launchCost },
      readsTexts: false,
    }),
    onBatch: ({ lane, tokens, paddedTokens: padded, seconds }) => {
      if (lane === 'interactive') return;
      run.tokens += tokens;
      run.paddedTokens += padded;
      batches.count += 1;
      batches.seconds += seconds;
    },
  });
  let at = 0;
  const shard = async (): Promise<void> => {
    const own = documents.slice(at, at + SHARD_DOCUMENTS);
    at = at + SHARD_DOCUMENTS >= documents.length ? 0 : at + SHARD_DOCUMENTS;
    const chunked = await served.chunk(own, { mode: 'document' });
    const outcomes = await served.encoder.encode(
      chunked.flatMap(({ chunks }) => chunks),
      'bulk',
    );
    for (const outcome of outcomes) if (!outcome.ok) throw outcome.error;
    run.documents += own.length;
  };
  const runBulk = async (seconds: number): Promise<Run> => {
    run = { documents: 0, tokens: 0, paddedTokens: 0, seconds: 0 };
    batches = { count: 0, seconds: 0 };
    const start = performance.now();
    const elapsed = () => (performance.now() - start) / 1000;
    await Promise.all(
      Array.from({ length: SHARDS }, async () => {
        while (elapsed() < seconds) await shard();
      }),
    );
    return { ...run, seconds: elapsed() };
  };
  return {
    detail: `${plan.devices.length} engines, area ${plan.area}`,
    run: runBulk,
    async latency(seconds) {
      let running = true;
      const bulk = runBulk(seconds).finally(() => (running = false));
      const times: number[] = [];
      while (running) {
        const start = performance.now();
        const inputs = [`what is the meaning of number ${times.length}?`];
        await served.answer({ task: 'embed', model: model.name, inputs, role: 'query' });
        times.push(performance.now() - start);
        await setTimeout(PAUSE_BETWEEN_QUERIES_MS);
      }
      await bulk;
      times.sort((a, b) => a - b);
      const at = (share: number) => times[Math.floor((times.length - 1) * share)] ?? 0;
      const batchMs = (1000 * batches.seconds) / Math.max(1, batches.count);
      return { queries: times.length, p50: at(0.5), p95: at(0.95), batchMs };
    },
    close: () => served.close(),
  };
}

/** Text to vectors by @embedmill/embed: one stream of texts, with vectors in the same order. */
export async function openPackage({ model, plan, documents }: YardstickInput): Promise<Yardstick> {
  let run: Run = { documents: 0, tokens: 0, paddedTokens: 0, seconds: 0 };
  const embedder = await ModelEmbedder.start(assertDense(model), plan, {
    // Counts computed texts, not returned ones: equal texts in flight together are computed once.
    onBatch: ({ tokens, paddedTokens: padded }) => {
      run.tokens += tokens;
      run.paddedTokens += padded;
    },
  });
  return {
    detail: `${plan.devices.length} engines, area ${plan.area}`,
    async run(seconds) {
      run = { documents: 0, tokens: 0, paddedTokens: 0, seconds: 0 };
      const start = performance.now();
      const elapsed = () => (performance.now() - start) / 1000;
      for await (const vectors of embedder.embed(endless(documents, () => elapsed() >= seconds)))
        run.documents += vectors.length;
      return { ...run, seconds: elapsed() };
    },
    close: () => embedder.close(),
  };
}

/** Repeats the texts until the time is up. */
function* endless(documents: readonly Document[], isTime: () => boolean): Generator<string> {
  for (let n = 0; !isTime(); n += 1) yield documents[n % documents.length]?.text ?? '';
}

/** Batches of this many texts in the given order, each padded to its longest; the next one is tokenized meanwhile. */
export async function openFixedBatches(
  { model, plan, documents }: YardstickInput,
  size: number,
): Promise<Yardstick> {
  const tokenizer = await loadTokenizer(model);
  const threads = threadsOf(plan);
  const engines = await startEngines(model, {
    plan: {
      area: plan.area,
      graphCache: undefined,
      graph: { level: 'all', without: [] },
      devices: [{ kind: 'cpu', threads, spinning: true }],
    },
    batchDeadlineMs: DEADLINE_MS,
  });
  let at = 0;
  const next = async (): Promise<EngineBatch> => {
    const texts = documents.slice(at, at + size).map(({ text }) => text);
    at = at + size >= documents.length ? 0 : at + size;
    return batchOf((await tokenizer.encode(texts, 'document')).map(({ ids }) => ids));
  };
  return {
    detail: `1 × ${threads} threads, ${size} texts a batch`,
    async run(seconds) {
      const end = performance.now() + seconds * 1000;
      return feed(engines, async () => (performance.now() < end ? next() : undefined));
    },
    async close() {
      await Promise.all(engines.map((engine) => engine.close()));
    },
  };
}

export async function tokenized(
  model: ResolvedModel,
  documents: Document[],
): Promise<{ sequences: Int32Array[] }> {
  const tokenizer = await loadTokenizer(model);
  const encoded = await tokenizer.encode(
    documents.map(({ text }) => text),
    'document',
  );
  return { sequences: encoded.map(({ ids }) => ids) };
}

function loadTokenizer({
  tokenizerPath: path,
  maxTokens,
  documentPrefix,
}: ResolvedModel): Promise<Tokenizer> {
  return Tokenizer.load({ path, maxTokens, documentPrefix });
}
