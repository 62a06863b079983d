import { Aliases } from './aliases.ts';
import type { Documents } from './body.ts';
import { Collections } from './collections.ts';
import {
  Connection,
  type Call,
  type CallOptions,
  type ConnectionOptions,
  type EventOptions,
} from './connection.ts';
import type { ServerEvent } from './events.ts';
import { Documents as StoredDocuments } from './documents.ts';
import { embed, type EmbedOptions } from './embedding.ts';
import { beginExport, exportOf, type ExportOptions, type ExportRequest } from './export.ts';
import { Jobs } from './jobs.ts';
import { Keys } from './keys.ts';
import { Migrations } from './migrations.ts';
import { Queue } from './queue.ts';
import type {
  DocumentReport,
  Health,
  Job,
  Model,
  NearDuplicates,
  NearDuplicatesRequest,
  RecommendRequest,
  Schemas,
  SearchRequest,
  ServerSource,
} from './schemas.ts';
import { nearDuplicates, recommend, search } from './search.ts';
import { Sources } from './sources.ts';
import { submitSource, type JobTarget } from './source-submission.ts';
import type { SubmitOptions } from './submit-options.ts';
import { submitDocuments } from './submission.ts';
import { Usage } from './usage.ts';
import type { WatchOptions } from './watch.ts';

/** A client of an embedmill server. It holds no connection and need not be closed. */
export class Client {
  readonly url: string;
  /** Every route of the API, typed: `api.GET('/api/v1/jobs/{id}', …)` (openapi-fetch). */
  readonly api: Connection['api'];
  readonly collections: Collections;
  readonly aliases: Aliases;
  readonly migrations: Migrations;
  readonly documents: StoredDocuments;
  readonly jobs: Jobs;
  readonly keys: Keys;
  readonly sources: Sources;
  readonly queue: Queue;
  readonly usage: Usage;
  readonly #server: Connection;

  constructor(options: ConnectionOptions) {
    const server = new Connection(options);
    this.#server = server;
    this.url = server.url;
    this.api = server.api;
    this.collections = new Collections(server);
    this.aliases = new Aliases(server);
    this.migrations = new Migrations(server);
    this.documents = new StoredDocuments(server);
    this.jobs = new Jobs(server);
    this.keys = new Keys(server);
    this.sources = new Sources(server);
    this.queue = new Queue(server);
    this.usage = new Usage(server);
  }

  /**
   * Submits documents as one job, streamed: to a collection by name, or to a file. Resolves when all have been received;
   * `watch` follows the job.
   */
  submit(target: JobTarget, documents: Documents, options: SubmitOptions = {}): Promise<Job> {
    return submitDocuments(this.#server, target, documents, options);
  }

  /** Submits a source that the server reads itself: a file or a folder on the server, a URL, objects in S3. */
  submitSource(
    target: JobTarget,
    source: ServerSource,
    options: Parameters<typeof submitSource>[3] = {},
  ): Promise<Job> {
    return submitSource(this.#server, target, source, options);
  }

  /** Yields a job whenever it changes until it has finished; the last one is the finished job. */
  watch(job: string, options: WatchOptions = {}): AsyncGenerator<Job> {
    return this.jobs.watch(job, options);
  }

  /** The failed documents of a job, with reasons. */
  failures(job: string, options: CallOptions = {}): AsyncGenerator<DocumentReport, number> {
    return this.jobs.failures(job, options);
  }

  /** Searches for the chunks that answer a query, by meaning, by words, or by both. */
  search(
    collection: string,
    request: SearchRequest,
    options: CallOptions = {},
  ): Promise<Schemas['SearchResponse']> {
    return search(this.#server, collection, request, options);
  }

  /** Finds chunks that resemble some examples and not others. */
  recommend(
    collection: string,
    request: RecommendRequest,
    options: CallOptions = {},
  ): Promise<Schemas['SearchResponse']> {
    return recommend(this.#server, collection, request, options);
  }

  /** A page of near-duplicate documents. */
  nearDuplicates(
    collection: string,
    request: NearDuplicatesRequest = {},
    options: CallOptions = {},
  ): Promise<NearDuplicates> {
    return nearDuplicates(this.#server, collection, request, options);
  }

  /** Embeds texts immediately, ahead of bulk jobs; returns a vector of length 1 for each. */
  embed(texts: readonly string[], options: EmbedOptions = {}): Promise<Float32Array[]> {
    return embed(this.#server, texts, options);
  }

  /** Exports a collection's documents, or their points with vectors, as the bytes of a file. */
  export(
    collection: string,
    request: ExportRequest = {},
    options: ExportOptions = {},
  ): AsyncGenerator<Uint8Array> {
    return exportOf(this.#server, collection, request, options);
  }

  /** Starts the job that writes an export's file; `jobs.output` returns the file once the job is done. */
  beginExport(collection: string, request: ExportRequest = {}, options: ExportOptions = {}): Promise<Job> {
    return beginExport(this.#server, collection, request, options);
  }

  async models(options: CallOptions = {}): Promise<Model[]> {
    return (await this.#server.read((api, init) => api.GET('/api/v1/models', init), options)).models;
  }

  /** Whether the server is ready; does not throw if it is not. */
  async readiness(options: CallOptions = {}): Promise<Health> {
    return this.#server.health(options);
  }

  /**
   * Calls any route that is safe or idempotent, with the error handling and retries of the methods:
   * `read((api, init) => api.GET('/api/v1/overview', init))`.
   */
  read<T>(call: Call<T>, options: CallOptions = {}): Promise<T> {
    return this.#server.read(call, options);
  }

  /** Like `read`, for a route that changes something. */
  ask<T>(call: Call<T>, options: CallOptions = {}): Promise<T> {
    return this.#server.ask(call, options);
  }

  /** The events of any streaming route; the call must have `parseAs: 'stream'`. */
  events(call: Call<unknown>, options: EventOptions = {}): AsyncGenerator<ServerEvent> {
    return this.#server.events(call, options);
  }

  /** Metrics for Prometheus. */
  metrics(options: CallOptions = {}): Promise<string> {
    return this.#server.read((api, init) => api.GET('/metrics', { ...init, parseAs: 'text' }), options);
  }
}

/** Creates a client of the server at `url`; each request carries `apiKey`. */
export function createClient(options: ConnectionOptions): Client {
  return new Client(options);
}
