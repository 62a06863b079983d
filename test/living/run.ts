import fc from 'fast-check';
import {
  EmbedmillError,
  type CollectionName,
  type Job,
  type JobId,
  type Shard,
  type ShardResult,
} from '@embedmill/jobs';
import type { DocumentPoints, VectorStore } from '@embedmill/vector-store';
import { NESTED } from '../../apps/api/src/testing/fake-worker.ts';
import { ndjson } from '../embedmill.ts';
import type { Mill, PlainPoint, Walk } from './mill.ts';
import { CollectionModel, type Version } from './model.ts';

/** What happens to one shard each time it is walked: pauses, and deaths of its worker at a call to the store. */
export interface Fate {
  /** Turns of the event loop before the walk begins. */
  pause: number;
  /** The worker dies at these calls, one per walk; after that it lives. */
  deaths: { at: number; before: boolean }[];
}

export const CHUNKING = { mode: 'tokens', size: 16, overlap: 0, boundary: 'content' } as const;
const OTHER_CHUNKING = { ...CHUNKING, size: 24 };

/** One run of the model-based test: its own collections on a shared mill, and what they are expected to hold. */
export class Run {
  readonly mill: Mill;
  readonly alias: string;
  readonly #fates: Fate[];
  /** The collections that the alias has pointed to, by name, with their expected contents. */
  readonly models = new Map<string, CollectionModel>();
  /** The collection that the alias points to. */
  live: string;
  readonly jobs: Job[] = [];
  #walks = 0;
  #made = 0;
  /** The collection into which the live one is copied. */
  #twin: string | undefined;

  private constructor(mill: Mill, id: string, fates: Fate[]) {
    this.mill = mill;
    this.alias = `${id}-live`;
    this.live = `${id}-0`;
    this.#fates = fates;
  }

  static async begin(mill: Mill, id: string, fates: Fate[]): Promise<Run> {
    const run = new Run(mill, id, fates);
    await run.#create(run.live);
    await run.#called('PUT', `/api/v1/aliases/${run.alias}`, { collection: run.live });
    return run;
  }

  get model(): CollectionModel {
    return this.models.get(this.live)!;
  }

  /** Moves the alias to a new collection. */
  async move(): Promise<void> {
    const name = `${this.alias.slice(0, -5)}-${(this.#made += 1)}`;
    await this.#create(name);
    await this.#called('PUT', `/api/v1/aliases/${this.alias}`, { collection: name });
    [this.live, this.#twin] = [name, undefined];
  }

  async submit(versions: readonly Version[], cancel: boolean): Promise<void> {
    const body = ndjson(versions.map(({ value, id }) => value ?? { id, deleted: true }));
    const job = await this.mill.submitted(this.alias, body);
    this.jobs.push(job);
    this.model.submitted(job, versions);
    if (!cancel) return;
    // It is unknown which of its documents were settled by then.
    const { status } = await this.mill.json('POST', `/api/v1/jobs/${job.id}/cancel`);
    if (status < 300) this.model.uncertain(job.id);
  }

  /** Submits a snapshot: these are all the documents there should be. */
  async sync(versions: readonly Version[]): Promise<void> {
    const body = ndjson(versions.map(({ value, id }) => value ?? { id, deleted: true }));
    const job = await this.mill.submitted(this.alias, body, '?mode=snapshot&maxDeleted=1');
    this.jobs.push(job);
    this.model.synced(job, versions);
  }

  async delete(id: string): Promise<void> {
    await this.#called('DELETE', `/api/v1/collections/${this.alias}/documents/${id}`);
    this.model.deleted(id);
  }

  /** Deletes the documents with this number, as a job. */
  async deleteWhere(n: number): Promise<void> {
    const path = `/api/v1/collections/${this.alias}/documents/delete`;
    const job = (await this.#called('POST', path, { filter: { field: 'n', eq: n } })) as Job;
    this.jobs.push(job);
    this.model.deletedWhere(({ metadata }) => metadata.n === n);
  }

  /** Retries the failed documents of the job submitted this many jobs before the last. */
  async retry(back: number): Promise<void> {
    const job = this.jobs.at(-1 - (back % Math.max(1, this.jobs.length)));
    if (job === undefined) return;
    await this.mill.finished(job);
    const { status, body } = await this.mill.json('POST', `/api/v1/jobs/${job.id}/retry`);
    if (status >= 300) return;
    assertCounts(await this.mill.finished(body as Job));
    this.models.get(job.collection)?.retried(job.id);
  }

  /** Copies into a second collection with other chunks, while work continues. */
  async copy(): Promise<void> {
    if (this.#twin !== undefined) return;
    const into = `${this.alias.slice(0, -5)}-${(this.#made += 1)}`;
    const asked = { into, profile: { chunking: OTHER_CHUNKING, sparse: { bm25: { averageLength: 9 } } } };
    const path = `/api/v1/collections/${this.alias}/migration`;
    const { job } = (await this.#called('POST', path, asked)) as { job: Job };
    this.jobs.push(job);
    // Both must hold the same.
    this.models.set(into, this.model);
    this.#twin = into;
  }

  async exchange(): Promise<void> {
    if (this.#twin === undefined) return;
    const path = `/api/v1/collections/${this.alias}/migration/exchange`;
    const { status } = await this.mill.json('POST', path);
    // It is refused until everything is copied.
    if (status !== 409) [this.live, this.#twin] = [this.#twin, this.live];
  }

  /**
   * Waits for everything that was started, compares, and then deletes it all, because stores keep files open for
   * existing collections.
   */
  async end(): Promise<void> {
    await this.#settled();
    for (const [name, model] of this.models) await this.#compare(name, model);
    for (const name of this.models.keys()) await this.#called('DELETE', `/api/v1/collections/${name}`);
  }

  /** Walks a shard as a worker with its fate would: if it dies in a walk, another one walks the shard again. */
  async walk(shard: Shard, walk: Walk): Promise<ShardResult> {
    const { pause, deaths } = this.#fates[(this.#walks += 1) % this.#fates.length] ?? NO_FATE;
    for (let n = 0; n < pause; n += 1) await new Promise((resolve) => setImmediate(resolve));
    const store = (await this.#isFirst(shard)) ? poisonous(this.mill.store) : this.mill.store;
    for (const death of deaths) {
      const dying = mortal(store, death);
      try {
        return await walk(dying.store);
      } catch (thrown) {
        if (!dying.isDead()) throw thrown;
      }
    }
    return walk(store);
  }

  /** Whether documents with a poison should fail: they do so only the first time. */
  async #isFirst({ job, purpose }: Shard): Promise<boolean> {
    const submitted = await this.mill.parts.queue.getSubmission(job as JobId);
    return purpose === 'ingest' && submitted?.retryOf === null;
  }

  async #settled(): Promise<void> {
    for (const job of this.jobs) assertCounts(await this.mill.finished(job));
  }

  async #create(name: string): Promise<void> {
    const profile = { model: NESTED.name, chunking: CHUNKING, filterable: { n: 'integer' } };
    await this.#called('POST', '/api/v1/collections', { name, profile });
    this.models.set(name, new CollectionModel());
  }

  async #called(method: string, path: string, body?: unknown): Promise<unknown> {
    const answer = await this.mill.json(method, path, body);
    if (answer.status >= 300) throw new Error(`${method} ${path}: ${JSON.stringify(answer.body)}`);
    return answer.body;
  }

  async #compare(name: string, model: CollectionModel): Promise<void> {
    const collection = (await this.mill.store.getCollection(name as CollectionName))!;
    const points = await this.mill.store.scanPoints(name as CollectionName, { limit: 10_000 });
    const byDocument = Map.groupBy(points, ({ payload }) => payload.document_id as string);
    for (const id of new Set([...model.ids, ...byDocument.keys()])) {
      const found = (byDocument.get(id) ?? []).toSorted(
        (a, b) => a.payload.chunk_index - b.payload.chunk_index,
      );
      const stored = await Promise.all(
        model.possible(id).map((value) => this.mill.pointsOf(value, collection.profile.chunking)),
      );
      const plain = found.map(({ dense, payload: { text, chunk_index, chunk_count, metadata } }) => ({
        text,
        chunk_index,
        chunk_count,
        metadata,
        dense: [...dense],
      }));
      if (!stored.some((one) => areAlike(one, plain)))
        throw new Error(`${id} of ${name} is\n${fc.stringify(plain)}\nnot one of\n${fc.stringify(stored)}`);
      if (collection.profile.sparse.bm25 && found.some(({ sparse }) => sparse?.bm25 === undefined))
        throw new Error(`${id} of ${name} has no words`);
    }
    const counts = await this.mill.store.countDocuments(name as CollectionName, 'tenant');
    const documents = counts.reduce((sum, one) => sum + one.documents, 0);
    if (documents !== byDocument.size) throw new Error(`${name} counts ${documents}, not ${byDocument.size}`);
  }
}

/**
 * Each document of a job is counted exactly once, wherever workers and dispatchers died; in a cancelled job, at most
 * once.
 */
function assertCounts(job: Job): void {
  const { documents, stored, skipped, deleted, failed, duplicates, superseded } = job;
  const counted = stored + skipped + deleted + failed + duplicates + superseded;
  if (counted > documents || (job.state === 'completed' && counted < documents))
    throw new Error(`${job.id} counts ${counted} of ${documents} documents: ${fc.stringify(job)}`);
}

/** Qdrant normalises vectors again that are already normalised. */
const ROUNDING = 1e-5;

function areAlike(some: readonly PlainPoint[], others: readonly PlainPoint[]): boolean {
  const isAlike = ({ dense, ...its }: PlainPoint, other: PlainPoint | undefined): boolean => {
    const { dense: beside = [], ...rest } = other ?? {};
    const isNear = dense.every((value, n) => Math.abs(value - (beside[n] ?? Infinity)) < ROUNDING);
    return isNear && fc.stringify(its) === fc.stringify(rest);
  };
  return some.length === others.length && some.every((one, n) => isAlike(one, others[n]));
}

const NO_FATE: Fate = { pause: 0, deaths: [] };

/** A store that dies with its worker at one of its calls: that call is done or not, and none after it. */
function mortal(store: VectorStore, { at, before }: Fate['deaths'][number]) {
  let calls = 0;
  let isDead = false;
  const die = (): never => {
    isDead = true;
    throw new EmbedmillError('store_unavailable', 'its worker died');
  };
  const dying = new Proxy(store, {
    get(target, name) {
      const member = Reflect.get(target, name, target) as unknown;
      if (typeof member !== 'function') return member;
      return async (...args: unknown[]): Promise<unknown> => {
        const isLast = calls++ === at;
        if (isDead || (isLast && before)) die();
        const result: unknown = await Reflect.apply(member, target, args);
        return isLast ? die() : result;
      };
    },
  });
  return { store: dying, isDead: () => isDead };
}

/** A store that rejects documents with a poison. */
function poisonous(store: VectorStore): VectorStore {
  return new Proxy(store, {
    get(target, name) {
      const member = Reflect.get(target, name, target) as unknown;
      if (typeof member !== 'function') return member;
      if (name !== 'replaceDocuments') return member.bind(target) as unknown;
      return async (collection: CollectionName, documents: DocumentPoints[], ...rest: unknown[]) => {
        const bears = ({ points }: DocumentPoints): boolean => points[0]?.payload.metadata['poison'] === true;
        if (documents.some(bears)) throw new EmbedmillError('store_rejected', 'poison');
        return (await Reflect.apply(member, target, [collection, documents, ...rest])) as unknown;
      };
    },
  });
}
