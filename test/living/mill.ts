import { fileURLToPath } from 'node:url';
import { setTimeout } from 'node:timers/promises';
import type { Engine } from '@embedmill/inference';
import {
  DEFAULT_TENANT,
  isFinished,
  type Chunking,
  type DocumentId,
  type Job,
  type Json,
  type Shard,
  type ShardResult,
} from '@embedmill/jobs';
import { createLog } from '@embedmill/logs';
import { createMetrics } from '@embedmill/metrics';
import { resolveTokenizer } from '@embedmill/models';
import { ModelConsumer } from '@embedmill/queue';
import type { VectorStore } from '@embedmill/vector-store';
import { NESTED } from '../../apps/api/src/testing/fake-worker.ts';
import { startTestApi, type TestApi } from '../../apps/api/src/testing/test-api.ts';
import { settleShard } from '../../apps/worker/src/pipeline.ts';
import { ServedModel } from '../../apps/worker/src/served-model.ts';

const MODELS = fileURLToPath(new URL('../../models', import.meta.url));
const LOCK_MS = 5000;
const NO_PICTURE = { image: undefined, video: undefined, tenant: DEFAULT_TENANT };

/**
 * A whole embedmill in one process, for tests that run hundreds of jobs: the real API, queue, Redis, dispatcher, spool
 * and store, and the worker's real walk with a real tokenizer. Only the vectors are made by arithmetic on the tokens:
 * equal tokens give equal vectors, and different tokens different ones.
 */
export interface Mill extends TestApi {
  /** The store, as the worker uses it. */
  store: VectorStore;
  /** Tokens run through the model so far. */
  readonly tokens: number;
  /** From now on, replaces the worker's walk of each shard: the walk may be cut off or repeated. */
  walkBy(walk: (shard: Shard, walk: Walk) => Promise<ShardResult>): void;
  /** The expected points of a document, computed afresh: the part that its text and metadata determine. */
  pointsOf(document: PlainDocument | undefined, chunking: Chunking): Promise<PlainPoint[]>;
  /** Ends the dispatcher in the middle of its work; another one takes over. */
  killDispatcher(): Promise<void>;
  /** @param query of the request, such as `?mode=snapshot` */
  submitted(collection: string, body: string, query?: string): Promise<Job>;
  finished(job: Pick<Job, 'id'>): Promise<Job>;
}

export interface PlainDocument {
  id: string;
  text: string;
  title?: string;
  metadata: { [key: string]: Json };
}

export interface PlainPoint {
  text: string;
  chunk_index: number;
  chunk_count: number;
  metadata: { [key: string]: Json };
  dense: number[];
}

/** The worker's walk, on a store that the test chooses. */
export type Walk = (store?: VectorStore) => Promise<ShardResult>;

export async function startMill(options: Parameters<typeof startTestApi>[0] = {}): Promise<Mill> {
  const api = await startTestApi(options);
  try {
    return await startWorker(api);
  } catch (error) {
    await api.close();
    throw error;
  }
}

async function startWorker(api: TestApi): Promise<Mill> {
  let dispatcher = await api.dispatch();
  const { store, spool } = api.parts;
  const engine = new ArithmeticEngine(NESTED.dims);
  const tokenizer = await resolveTokenizer('all-MiniLM-L6-v2', { modelsDir: MODELS, cacheDir: MODELS });
  const own = await ServedModel.load(
    { ...tokenizer, name: NESTED.name, dims: NESTED.dims, revision: 'r1' },
    { start: async () => ({ engines: [engine], budget: {}, readsTexts: false }) },
  );
  const log = createLog({ app: 'worker', level: 'silent' });
  const parts = {
    spool,
    metrics: createMetrics('worker'),
    log,
    models: { own, get: async () => own },
    pictures: { fetch: () => Promise.reject(new Error('no pictures here')), spool },
  };
  const consumer = await ModelConsumer.open({
    redisUrl: api.redisUrl,
    shardConcurrency: 8,
    queryConcurrency: 1,
    lockMs: LOCK_MS,
    onError: () => {},
  });
  api.onClose(() => consumer.close());
  let by = (_: Shard, walk: Walk): Promise<ShardResult> => walk();
  consumer.serve(NESTED.name, {
    query: () => Promise.reject(new Error('no queries here')),
    shard: (shard, attempt) =>
      by(shard, (its = store) => settleShard(shard, attempt, { ...parts, store: its })),
  });
  return {
    ...api,
    store,
    get tokens() {
      return engine.tokens;
    },
    async pointsOf(document, chunking) {
      if (document === undefined) return [];
      const { id, text, title, metadata } = document;
      const whole = { id: id as DocumentId, text, title, metadata, ...NO_PICTURE };
      const [chunked] = await own.chunk([whole], chunking);
      const chunks = chunked?.chunks ?? [];
      return chunks.map(({ ids, start, end }, index) => ({
        text: text.slice(start, end),
        chunk_index: index,
        chunk_count: chunks.length,
        metadata,
        dense: [...vectorOf(ids, NESTED.dims)],
      }));
    },
    async killDispatcher() {
      await dispatcher.close();
      dispatcher = await api.dispatch();
    },
    async json(...asked) {
      for (;;) {
        const answer = await api.json(...asked);
        if (answer.status !== 429) return answer;
        await setTimeout(50);
      }
    },
    walkBy: (walk) => void (by = walk),
    async submitted(collection, body, query = '') {
      for (;;) {
        const response = await api.call(`/api/v1/collections/${collection}/jobs${query}`, {
          method: 'POST',
          body,
          headers: { 'content-type': 'application/x-ndjson' },
        });
        const answer = await response.text();
        if (response.ok) return JSON.parse(answer) as Job;
        if (response.status !== 429) throw new Error(`submit: ${response.status} ${answer}`);
        await setTimeout(50);
      }
    },
    async finished({ id }) {
      for (const deadline = Date.now() + 90_000; Date.now() < deadline; await setTimeout(25)) {
        const job = await api.parts.queue.getJob(id as never);
        if (job !== undefined && isFinished(job.state)) return job;
      }
      throw new Error(`job ${id} did not finish`);
    },
  };
}

/** Gives each sequence a vector that depends only on its tokens. */
class ArithmeticEngine implements Engine {
  readonly outputs = ['dense'] as const;
  readonly capacity = 2;
  readonly dims: number;
  tokens = 0;

  constructor(dims: number) {
    this.dims = dims;
  }

  async run({ ids, lengths }: Parameters<Engine['run']>[0]): ReturnType<Engine['run']> {
    this.tokens += ids.length;
    const vectors = new Float32Array(lengths.length * this.dims);
    let at = 0;
    for (const [n, length] of lengths.entries()) {
      vectors.set(vectorOf(ids.subarray(at, at + length), this.dims), n * this.dims);
      at += length;
    }
    return { vectors, seconds: 0.001 };
  }

  async close(): Promise<void> {}
}

function vectorOf(ids: Int32Array, dims: number): Float32Array {
  let state = ids.reduce((sum, id) => (Math.imul(sum, 31) + id) | 0, 7);
  const vector = Float32Array.from({ length: dims }, () => {
    state = (Math.imul(state, 1_103_515_245) + 12_345) | 0;
    return state / 2 ** 31;
  });
  const norm = Math.hypot(...vector);
  return vector.map((value) => value / norm);
}
