import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { setTimeout } from 'node:timers/promises';
import {
  NO_COUNTS,
  isFinished,
  profileSchema,
  type Collection,
  type Job,
  type JobId,
  type Shard,
  type ShardResult,
  type SourceEncoding,
} from '@embedmill/jobs';
import {
  connectQueue,
  ModelConsumer,
  newJobId,
  type NewJob,
  type Queue,
  type QueueOptions,
} from '@embedmill/queue';
import { Spool } from '@embedmill/sources';
import type { VectorStore } from '@embedmill/vector-store';
import { SourceThreads } from '../sources/source-threads.ts';
import { startDispatcher, type DispatcherOptions } from './dispatcher.ts';

export const collection: Collection = {
  name: 'test',
  profile: profileSchema.parse({}),
  dims: 384,
  vector: 'dense',
  createdAt: new Date(0).toISOString(),
};

/** The result of a worker that stored a whole shard. */
export const stored = (shard: Shard): ShardResult => ({
  ...NO_COUNTS,
  index: shard.index,
  documents: shard.range.documents,
  stored: shard.range.documents,
  chunks: shard.range.documents,
  tokens: 7 * shard.range.documents,
});

/** A collection without BM25 needs no average length, and no job reads stored documents. */
const store = { takeBack: async () => undefined, listCollections: async () => [] } as unknown as VectorStore;

export interface TestDispatch {
  readonly queue: Queue;
  readonly spool: Spool;
  /** The folder of the spool. */
  readonly folder: string;
  readonly address: QueueOptions;
  options(): DispatcherOptions;
  dispatcher(changes?: Partial<DispatcherOptions>): ReturnType<typeof startDispatcher>;
  worker(
    shard: (shard: Shard, attempt: { lastAttempt: boolean }) => Promise<ShardResult>,
    concurrency?: number,
  ): Promise<ModelConsumer>;
  submit(documents: number, job?: Pick<NewJob, 'maxFailures' | 'sections'>): Promise<JobId>;
  /** Submits an upload in a format other than NDJSON. */
  submitEncoded(body: Buffer, encoding: SourceEncoding): Promise<JobId>;
  finished(id: JobId): Promise<Job>;
  onClose(close: () => Promise<void>): void;
  /** Stops everything that was started, in reverse order. */
  close(): Promise<void>;
}

/** Dispatchers, and workers with the test's models, on a separate queue and spool. */
export async function testDispatch(address: QueueOptions): Promise<TestDispatch> {
  const closers: (() => Promise<void>)[] = [];
  const folder = await mkdtemp(join(tmpdir(), 'embedmill-dispatcher-'));
  closers.push(() => rm(folder, { recursive: true, force: true }));
  const spool = await Spool.open(folder);
  const threads = new SourceThreads(spool);
  closers.push(() => threads.close());
  const queue = await connectQueue(address);
  closers.push(() => queue.close());

  const options = (): DispatcherOptions => ({
    ...address,
    jobs: 100,
    scans: 4,
    mostShards: 3,
    maxReports: 10_000,
    weightOf: () => 1,
    pollMs: 20,
    lockMs: 1000,
    maxSourceBytes: 1e9,
    openUrl: () => Promise.reject(new Error('no URLs here')),
    spool,
    threads,
    store,
    models: () => Promise.resolve([]),
    log: { info: () => {}, warn: () => {} },
  });

  return {
    queue,
    spool,
    folder,
    address,
    options,
    onClose: (close) => void closers.push(close),
    async close() {
      for (const close of closers.splice(0).reverse()) await close();
    },
    async dispatcher(changes = {}) {
      const running = await startDispatcher({ ...options(), ...changes });
      closers.push(() => running.close());
      return running;
    },
    async worker(shard, concurrency = 2) {
      const consumer = await ModelConsumer.open({
        ...address,
        shardConcurrency: concurrency,
        queryConcurrency: 1,
        lockMs: 1000,
        onError: () => {},
      });
      closers.push(() => consumer.close());
      consumer.serve(collection.profile.model, {
        shard,
        query: () => Promise.reject(new Error('no queries here')),
      });
      return consumer;
    },
    async submit(documents, job = {}) {
      const id = newJobId();
      async function* body() {
        for (let n = 0; n < documents; n += 1) yield Buffer.from(`{"id":"d${n}","text":"text ${n}"}\n`);
      }
      const { source, sha256 } = await spool.receive(id, body(), { maxBytes: 1e9 });
      await queue.submit({
        ...job,
        id,
        purpose: 'ingest',
        collection,
        source,
        label: 'upload',
        digest: sha256,
        retryOf: null,
      });
      return id;
    },
    async submitEncoded(body, encoding) {
      const id = newJobId();
      const { source, sha256 } = await spool.receive(id, Readable.from([body]), { maxBytes: 1e9 });
      await queue.submit({
        id,
        purpose: 'ingest',
        collection,
        source: { kind: 'encoded', source, encoding },
        label: 'upload',
        digest: sha256,
        retryOf: null,
      });
      return id;
    },
    async finished(id) {
      for (const deadline = Date.now() + 45_000; Date.now() < deadline; await setTimeout(20)) {
        const job = await queue.getJob(id);
        if (job !== undefined && isFinished(job.state)) return job;
      }
      throw new Error(`job ${id} did not finish: ${JSON.stringify(await queue.getJob(id))}`);
    },
  };
}
