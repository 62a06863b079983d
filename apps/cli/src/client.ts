/** embedmill's API, as the command line calls it. Every method rejects with a `ServerError` or a `CommandError`. */
import { request as httpRequest, type ClientRequest, type IncomingMessage } from 'node:http';
import { request as httpsRequest } from 'node:https';
import type { Readable } from 'node:stream';
import { text as textOf } from 'node:stream/consumers';
import { pipeline } from 'node:stream/promises';
import { z } from 'zod';
import {
  MEDIA_TYPES,
  searchResponseSchema,
  usageReportSchema,
  verificationSchema,
  webhookDeliverySchema,
  type Filter,
  type Hit,
  type Job,
  type MaxFailures,
  type OutputFormat,
  type Priority,
  type embeddingProfileSchema,
  type profileSchema,
  type Reading,
  type SaidFormat,
  type SnapshotOptions,
  type recommendRequestSchema,
  type SearchRequestInput,
  type SourceFormat,
  type UsageReport,
  type Verification,
  type Webhook,
  type WatchedSource,
  type WatchedSourceView,
  type WebhookDelivery,
} from '@embedmill/jobs';
import {
  aliasSchema,
  collectionViewSchema,
  fieldProgressSchema,
  fieldReportSchema,
  type FieldReport,
  embeddingsSchema,
  looseJob,
  looseSource,
  modelSchema,
  nearDuplicatesSchema,
  pausedSchema,
  pointsSchema,
  readinessSchema,
  storedDocumentSchema,
  type AliasView,
  type CollectionView,
  type ModelView,
  type NearDuplicates,
  type PointView,
  type Readiness,
  type StoredDocument,
} from './answers.ts';
import { Connection, type ConnectionOptions } from './connection.ts';
import { CommandError } from './exit.ts';
import { readEvents, type ServerEvent } from './events.ts';
import { problemOf, reasonOf } from './server-error.ts';

export type { CollectionView, ModelView, Readiness } from './answers.ts';

/** What is said of a job, wherever its documents come from. */
export interface JobOptions extends SnapshotOptions {
  webhook?: Webhook | undefined;
  priority?: Priority | undefined;
  maxFailures?: MaxFailures | undefined;
  dryRun?: boolean | undefined;
}

/** Where a job's vectors go: to a collection of this name, or to a file. */
export type JobTarget =
  | string
  | {
      profile: z.input<typeof embeddingProfileSchema>;
      /** `to`: `s3://bucket/key`, which the server writes; else the file is downloaded. */
      output: { format: OutputFormat; to?: string };
    };

export interface Upload extends JobOptions {
  /** Opens the body; called again for a second attempt. */
  open: () => Readable;
  /** Bytes, when they are known before. */
  size: number | undefined;
  /** The same key with the same body gives the same job. */
  idempotencyKey: string;
  /** Its media type; NDJSON by default. */
  type?: string;
  gzip?: boolean;
  reading?: SaidFormat;
}

/** Where the server finds the documents itself. */
export interface ServerSource extends Reading {
  path?: string;
  url?: string;
  s3?: string;
  files?: string[];
  format?: SourceFormat | undefined;
}

export interface ExportRequest {
  format: OutputFormat;
  vectors: boolean;
  filter?: Filter | undefined;
  tenant?: string | undefined;
  /** `s3://bucket/key`, which the server writes; else the file is downloaded. */
  to?: string | undefined;
}

/** Which documents to delete: by `ids` or by `filter`. */
export interface DeletionRequest {
  ids?: string[];
  filter?: Filter;
  tenant?: string | undefined;
}

export class Client {
  readonly url: string;
  readonly #server: Connection;
  readonly #signal: AbortSignal;

  /** `signal` aborts whatever is under way; `key` goes with each request. */
  constructor(url: string, signal: AbortSignal, key?: string, options: ConnectionOptions = {}) {
    this.#server = new Connection(url, signal, key, options);
    this.url = this.#server.url;
    this.#signal = signal;
  }

  createCollection(name: string, profile: z.input<typeof profileSchema>): Promise<CollectionView> {
    return this.#server.json('POST', '/api/v1/collections', collectionViewSchema, { name, profile });
  }

  async collections(): Promise<CollectionView[]> {
    const schema = z.object({ collections: z.array(collectionViewSchema) });
    return (await this.#server.read('GET', '/api/v1/collections', schema)).collections;
  }

  collection(name: string): Promise<CollectionView> {
    return this.#server.read('GET', `/api/v1/collections/${part(name)}`, collectionViewSchema);
  }

  /** Asks again and again, as the server answers before it has ended; `onProgress` is told how many points it has seen. */
  async addField(
    collection: string,
    field: string,
    type: string,
    onProgress: (points: number, of: number) => void = () => undefined,
  ): Promise<FieldReport> {
    const path = `/api/v1/collections/${part(collection)}/filterable`;
    const schema = z.union([fieldReportSchema, fieldProgressSchema]);
    for (;;) {
      const answer = await this.#server.json('POST', path, schema, { field, type });
      if (isReport(answer)) return answer;
      onProgress(answer.points, answer.of);
    }
  }

  async deleteCollection(name: string): Promise<void> {
    await this.#server.call('DELETE', `/api/v1/collections/${part(name)}`);
  }

  async aliases(): Promise<AliasView[]> {
    const schema = z.object({ aliases: z.array(aliasSchema) });
    return (await this.#server.read('GET', '/api/v1/aliases', schema)).aliases;
  }

  moveAlias(name: string, collection: string): Promise<AliasView> {
    return this.#server.json('PUT', `/api/v1/aliases/${part(name)}`, aliasSchema, { collection });
  }

  async removeAlias(name: string): Promise<void> {
    await this.#server.call('DELETE', `/api/v1/aliases/${part(name)}`);
  }

  /** A page of jobs, the newest first; `next` is what the next one is asked for with, as `after`. */
  jobs(query: Record<string, string>): Promise<{ jobs: Job[]; next?: string | null | undefined }> {
    const schema = z.object({ jobs: z.array(looseJob), next: z.string().nullish() });
    return this.#server.read('GET', `/api/v1/jobs?${new URLSearchParams(query).toString()}`, schema);
  }

  job(id: string): Promise<Job> {
    // Whoever follows a job has a patience of their own.
    return this.#server.json('GET', `/api/v1/jobs/${part(id)}`, looseJob);
  }

  cancel(id: string): Promise<Job> {
    return this.#server.json('POST', `/api/v1/jobs/${part(id)}/cancel`, looseJob);
  }

  prioritize(id: string, priority: Priority): Promise<Job> {
    return this.#server.json('PATCH', `/api/v1/jobs/${part(id)}`, looseJob, { priority });
  }

  async forget(id: string): Promise<void> {
    await this.#server.call('DELETE', `/api/v1/jobs/${part(id)}`);
  }

  /** Reads the whole job: as long as that takes. */
  async verify(id: string): Promise<Verification> {
    const response = await this.#server.call('POST', `/api/v1/jobs/${part(id)}/verify`, undefined, null);
    return this.#server.parse(response, verificationSchema.loose());
  }

  retry(id: string): Promise<Job> {
    return this.#server.json('POST', `/api/v1/jobs/${part(id)}/retry`, looseJob);
  }

  async webhookDeliveries(id: string): Promise<WebhookDelivery[]> {
    const schema = z.object({ deliveries: z.array(webhookDeliverySchema.loose()) });
    return (await this.#server.read('GET', `/api/v1/jobs/${part(id)}/webhook-deliveries`, schema)).deliveries;
  }

  usage(query: Record<string, string>): Promise<UsageReport> {
    return this.#server.read(
      'GET',
      `/api/v1/usage?${new URLSearchParams(query).toString()}`,
      usageReportSchema,
    );
  }

  async usageCsv(query: Record<string, string>): Promise<string> {
    const asked = new URLSearchParams({ ...query, format: 'csv' });
    return (await this.#server.call('GET', `/api/v1/usage?${asked.toString()}`)).text();
  }

  pause(): Promise<{ paused: boolean }> {
    return this.#server.json('POST', '/api/v1/queue/pause', pausedSchema);
  }

  resume(): Promise<{ paused: boolean }> {
    return this.#server.json('POST', '/api/v1/queue/resume', pausedSchema);
  }

  /** The job's failures or warnings as NDJSON, as they come. */
  async *reports(id: string, kind: 'failures' | 'warnings'): AsyncGenerator<string> {
    const response = await this.#server.call('GET', `/api/v1/jobs/${part(id)}/${kind}`, undefined, null);
    if (response.body === null) return;
    try {
      yield* response.body.pipeThrough(new TextDecoderStream());
    } catch (error) {
      throw this.#server.lost(error);
    }
  }

  async search(collection: string, search: SearchRequestInput): Promise<Hit[]> {
    const path = `/api/v1/collections/${part(collection)}/search`;
    return (await this.#server.read('POST', path, searchResponseSchema.loose(), search)).hits;
  }

  async recommend(collection: string, examples: z.input<typeof recommendRequestSchema>): Promise<Hit[]> {
    const path = `/api/v1/collections/${part(collection)}/recommend`;
    return (await this.#server.read('POST', path, searchResponseSchema.loose(), examples)).hits;
  }

  nearDuplicates(collection: string, request: object): Promise<NearDuplicates> {
    const path = `/api/v1/collections/${part(collection)}/near-duplicates`;
    return this.#server.read('POST', path, nearDuplicatesSchema, request);
  }

  document(collection: string, id: string, tenant?: string): Promise<StoredDocument> {
    const query = tenant === undefined ? '' : `?${new URLSearchParams({ tenant }).toString()}`;
    const path = `/api/v1/collections/${part(collection)}/documents/${part(id)}${query}`;
    return this.#server.read('GET', path, storedDocumentSchema);
  }

  /** Errors where there are more than 10,000 ids. */
  deleteDocuments(collection: string, request: DeletionRequest): Promise<Job> {
    const path = `/api/v1/collections/${part(collection)}/documents/delete`;
    return this.#server.json('POST', path, looseJob, request);
  }

  /** How many documents `deleteDocuments` would delete now. */
  async countDeletions(collection: string, request: DeletionRequest): Promise<number> {
    const path = `/api/v1/collections/${part(collection)}/documents/delete`;
    const schema = z.object({ documents: z.number() });
    return (await this.#server.read('POST', path, schema, { ...request, dryRun: true })).documents;
  }

  /** All points with their dense vectors, page by page. */
  async *points(collection: string): AsyncGenerator<PointView> {
    for (let after: string | null = ''; after !== null;) {
      const query: string = after === '' ? '' : `?${new URLSearchParams({ after }).toString()}`;
      const path = `/api/v1/collections/${part(collection)}/points${query}`;
      const page: z.infer<typeof pointsSchema> = await this.#server.read('GET', path, pointsSchema);
      yield* page.points;
      after = page.next;
    }
  }

  export(collection: string, request: ExportRequest): Promise<Job> {
    return this.#server.json('POST', `/api/v1/collections/${part(collection)}/exports`, looseJob, request);
  }

  /** An export's file from a byte on, as it comes; what was received before an error stays right. */
  async *output(id: string, offset: number): AsyncGenerator<Uint8Array> {
    const path = `/api/v1/jobs/${part(id)}/output`;
    const range = { range: `bytes=${offset}-` };
    const response = await this.#server.call('GET', path, undefined, null, undefined, range);
    try {
      yield* response.body ?? [];
    } catch (error) {
      throw this.#server.lost(error);
    }
  }

  async beginMigration(
    collection: string,
    to:
      | { model: string; dims?: number }
      | {
          into: string;
          profile: Pick<z.input<typeof profileSchema>, 'chunking' | 'sparse' | 'storage'> & {
            lateInteraction?: z.input<typeof profileSchema>['lateInteraction'] | null;
          };
        },
  ): Promise<Job> {
    const schema = z.object({ job: looseJob });
    return (await this.#server.json('POST', `/api/v1/collections/${part(collection)}/migration`, schema, to))
      .job;
  }

  exchangeVectors(collection: string): Promise<CollectionView> {
    const path = `/api/v1/collections/${part(collection)}/migration/exchange`;
    return this.#server.json('POST', path, collectionViewSchema);
  }

  endMigration(collection: string): Promise<CollectionView> {
    return this.#server.json(
      'DELETE',
      `/api/v1/collections/${part(collection)}/migration`,
      collectionViewSchema,
    );
  }

  async models(): Promise<ModelView[]> {
    return (await this.#server.read('GET', '/api/v1/models', z.object({ models: z.array(modelSchema) })))
      .models;
  }

  async embed(model: string, input: string[]): Promise<number[][]> {
    const answer = await this.#server.read('POST', '/v1/embeddings', embeddingsSchema, { model, input });
    return answer.data.map(({ embedding }) => embedding);
  }

  /** Also when it is not ready. */
  async readiness(): Promise<Readiness> {
    const response = await this.#server.fetch('GET', '/readyz', undefined, this.#server.answerMs);
    return this.#server.parse(response, readinessSchema);
  }

  /** The job's events, from now until the stream ends. */
  async *events(id: string, silenceMs: number): AsyncGenerator<ServerEvent> {
    const silence = new AbortController();
    const timer = setTimeout(() => silence.abort(new Error('the event stream fell silent')), silenceMs);
    try {
      const response = await this.#server.call(
        'GET',
        `/api/v1/jobs/${part(id)}/events`,
        undefined,
        null,
        silence.signal,
      );
      const type = response.headers.get('content-type') ?? '';
      if (response.body === null || !type.startsWith('text/event-stream')) return;
      for await (const event of readEvents(response.body, () => timer.refresh())) yield event;
    } catch (error) {
      throw error instanceof CommandError ? error : this.#server.lost(error);
    } finally {
      clearTimeout(timer);
      silence.abort();
    }
  }

  watchSource(collection: string, name: string, source: WatchedSource): Promise<WatchedSourceView> {
    return this.#server.json('PUT', sourcePath(collection, name), looseSource, source);
  }

  async watchedSources(collection: string): Promise<WatchedSourceView[]> {
    const schema = z.object({ sources: z.array(looseSource) });
    const path = `/api/v1/collections/${part(collection)}/sources`;
    return (await this.#server.read('GET', path, schema)).sources;
  }

  watchedSource(collection: string, name: string): Promise<WatchedSourceView> {
    return this.#server.read('GET', sourcePath(collection, name), looseSource);
  }

  lookAtSource(collection: string, name: string): Promise<WatchedSourceView> {
    return this.#server.json('POST', `${sourcePath(collection, name)}/run`, looseSource);
  }

  async removeSource(collection: string, name: string): Promise<void> {
    await this.#server.call('DELETE', sourcePath(collection, name));
  }

  submitSource(target: JobTarget, source: ServerSource, options: JobOptions = {}): Promise<Job> {
    const file = typeof target === 'string' ? {} : target;
    return this.#server.json('POST', jobsPath(target), looseJob, { source, ...options, ...file });
  }

  /**
   * Submits documents. By node:http, because fetch gives up on an answer after some minutes, however much of the body
   * is still on its way.
   */
  async submit(target: JobTarget, upload: Upload): Promise<Job> {
    const url = new URL(`${this.url}${jobsPath(target)}`);
    const { priority, maxFailures, mode, sourceName, maxDeleted, dryRun, reading = {} } = upload;
    const file =
      typeof target === 'string'
        ? {}
        : { output: target.output.format, to: target.output.to, profile: target.profile };
    const said = { ...reading, priority, maxFailures, mode, sourceName, maxDeleted, dryRun, ...file };
    for (const [name, value] of Object.entries(said)) {
      if (value === undefined) continue;
      const text = typeof value === 'string' ? value : JSON.stringify(value);
      url.searchParams.set(name, Array.isArray(value) ? value.join(',') : text);
    }
    const request = (url.protocol === 'https:' ? httpsRequest : httpRequest)(url, {
      method: 'POST',
      headers: {
        ...this.#server.authorization,
        'content-type': upload.type ?? MEDIA_TYPES.ndjson,
        ...(upload.gzip === true && { 'content-encoding': 'gzip' }),
        'idempotency-key': upload.idempotencyKey,
        ...webhookHeadersOf(upload.webhook),
        ...(upload.size !== undefined && { 'content-length': upload.size }),
      },
      signal: this.#signal,
    });
    const body = upload.open();
    let unreadable: unknown;
    body.on('error', (error) => (unreadable = error));
    try {
      const answered = responseTo(request);
      // The answer counts, also when it comes before the body was sent: then the body was refused.
      const [answer, sent] = [answered, pipeline(body, request)];
      sent.catch(() => undefined);
      const response = await Promise.race([answer, sent.then(() => answer)]);
      const received = await textOf(response);
      body.destroy();
      if ((response.statusCode ?? 0) >= 400) throw problemOf(this.url, response.statusCode ?? 0, received);
      return looseJob.parse(JSON.parse(received));
    } catch (error) {
      request.destroy();
      body.destroy();
      if (error instanceof CommandError) throw error;
      if (unreadable !== undefined) {
        throw new CommandError(`the documents cannot be read: ${reasonOf(unreadable)}`, undefined, {
          cause: error,
        });
      }
      throw this.#server.lost(error);
    }
  }
}

function webhookHeadersOf(webhook: Webhook | undefined): Record<string, string> {
  if (webhook === undefined) return {};
  const { url, secret, failures } = webhook;
  return {
    'embedmill-webhook-url': url,
    'embedmill-webhook-secret': secret,
    ...(failures !== undefined && { 'embedmill-webhook-failures': String(failures) }),
  };
}

function responseTo(request: ClientRequest): Promise<IncomingMessage> {
  const answered = new Promise<IncomingMessage>((resolve, reject) => {
    request.once('response', resolve);
    request.once('error', reject);
  });
  answered.catch(() => undefined);
  return answered;
}

function jobsPath(target: JobTarget): string {
  return typeof target === 'string' ? `/api/v1/collections/${part(target)}/jobs` : '/api/v1/jobs';
}

function sourcePath(collection: string, name: string): string {
  return `/api/v1/collections/${part(collection)}/sources/${part(name)}`;
}

function part(name: string): string {
  return encodeURIComponent(name);
}

function isReport(answer: FieldReport | z.infer<typeof fieldProgressSchema>): answer is FieldReport {
  return fieldReportSchema.safeParse(answer).success;
}
