import { hash } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import { join } from 'node:path';
import type { FastifyRequest } from 'fastify';
import { z } from 'zod';
import {
  asEmbedmillError,
  documentSchema,
  EmbedmillError,
  encodingOfNamed,
  formatOfName,
  isFinished,
  maxFailuresSchema,
  METADATA_BYTES,
  parseDocument,
  prioritySchema,
  readingSchema,
  sourceFormatSchema,
  webhookSchema,
  type Collection,
  type ErrorDetail,
  type Filter,
  type Job,
  type JobId,
  type MaxFailures,
  type Priority,
  type SaidFormat,
  type Sink,
  type SourceEncoding,
  type TenantId,
  type Verification,
  type Webhook,
} from '@embedmill/jobs';
import { jobIdOfKey, newJobId, sourceOf, storedIn, type NewJob } from '@embedmill/queue';
import { assertS3Target, openLocalSource, openS3Source, redacted } from '@embedmill/sources';
import { parseRequest } from './absent-fields.ts';
import { currentPrincipal } from './access/principal.ts';
import { requireCollectionOf } from './collection.ts';
import { COPIED } from './copying.ts';
import type { ApiParts } from './parts.ts';
import { invalidRequest } from './problem.ts';
import { recoverJob } from './recovery.ts';
import { FileForm, MOST_PLACES } from './file-form.ts';
import { filesAt, labelOf, readAs, sourceOfFiles, type Readable } from './source-files.ts';
import { JobComparison } from './verification.ts';
import { pacedBytes, USUAL_PACE } from './body-pace.ts';
import {
  expectedBytes,
  webhookOfHeaders,
  MAX_INLINE_DOCUMENTS,
  tooLargeInline,
  type JsonBody,
} from './upload.ts';

/** A document in a request: checked one by one afterwards, so that each fault gets its document's number. */
const inlineDocument = z
  .unknown()
  .meta({ ...z.toJSONSchema(documentSchema, { io: 'input' }), $schema: undefined });

/** A job in JSON: a few documents, or where the server finds many. */
export const submissionSchema = z
  .strictObject({
    documents: z
      .array(inlineDocument)
      .min(1)
      .optional()
      .meta({ description: `The documents, ${MAX_INLINE_DOCUMENTS} and 256 KiB at most.` }),
    source: z
      .strictObject({
        path: z.string().min(1).optional().meta({ description: 'A file that the server may read.' }),
        url: z
          .url({ protocol: /^https?$/, error: 'must be an http or https URL' })
          .max(8192)
          .optional()
          .meta({ description: 'Where the server fetches it from.' }),
        s3: z
          .string()
          .regex(/^s3:\/\//, 'must be s3://bucket/key')
          .optional()
          .meta({ description: 'An object, `s3://bucket/key`, that the server may read.' }),
        files: z.array(z.string().min(1).max(8192)).min(1).max(MOST_PLACES).optional().meta({
          description:
            'Many files as one job: http and https URLs, `s3://bucket/key`, all objects below `s3://bucket/prefix/`, paths of files, and of folders with all that is below. In folders and below prefixes, hidden files and those whose names do not say their format are passed over. What is said of columns, delimiter and so on is for all of them; of documents with the same id, the one in the file that is last in the order of names wins.',
        }),
        format: sourceFormatSchema.optional().meta({
          description:
            'By default what the name ends in (.ndjson, .jsonl, .csv, .tsv, .parquet; .gz behind it for gzip), or what the URL says; else NDJSON.',
        }),
        ...readingSchema.shape,
      })
      .refine(
        ({ path, url, s3, files }) => [path, url, s3, files].filter((one) => one !== undefined).length === 1,
        'give a path, a url, an s3 or files',
      )
      .optional(),
    priority: prioritySchema.optional().meta({
      description: 'Before which of its tenant’s jobs it comes; `normal` by default.',
    }),
    maxFailures: maxFailuresSchema.optional(),
    webhook: webhookSchema.optional().meta({ description: 'Whom to tell of the job’s end.' }),
  })
  .refine(
    ({ documents, source }) => (documents === undefined) !== (source === undefined),
    'give documents or a source',
  );

export interface UploadReading {
  /** One file, undefined for plain NDJSON, or a form of many, with what was said of them all. */
  content: { kind: 'one'; encoding: SourceEncoding | undefined } | { kind: 'form'; said: SaidFormat };
  maxFailures: MaxFailures | undefined;
}

export interface Submitted {
  job: Job;
  /** False when the Idempotency-Key was used for the same request before. */
  created: boolean;
}

/** How requests become jobs. Nothing is left of a request that is refused. */
export class Submission {
  readonly #parts: ApiParts;
  readonly #receiving = new Set<Promise<unknown>>();

  constructor(parts: ApiParts) {
    this.#parts = parts;
  }

  /** Errors: `upload_incomplete`, `payload_too_large`, `invalid_request` when there is nothing in it. */
  upload(
    collection: Collection,
    request: FastifyRequest,
    body: IncomingMessage,
    how: UploadReading,
  ): Promise<Submitted> {
    const { content, maxFailures } = how;
    const submitted =
      content.kind === 'form'
        ? this.#form(collection, request, body, content.said, maxFailures)
        : this.#upload(collection, request, body, content.encoding, maxFailures);
    this.#receiving.add(submitted);
    const forget = () => void this.#receiving.delete(submitted);
    submitted.then(forget, forget);
    return submitted;
  }

  /** Resolves when no upload is under way, broken ones cleared away. */
  async settled(): Promise<void> {
    await Promise.allSettled(this.#receiving);
  }

  async #upload(
    collection: Collection,
    request: FastifyRequest,
    body: IncomingMessage,
    encoding: SourceEncoding | undefined,
    maxFailures: MaxFailures | undefined,
  ): Promise<Submitted> {
    const { spool, config, metrics } = this.#parts;
    const job = { ...uploadedJob(collection, request), maxFailures };
    const received = await spool.receive(job.id, pacedBytes(body, USUAL_PACE), {
      maxBytes: config.maxUploadBytes,
      expectedBytes: expectedBytes(request.headers),
    });
    if (received.bytes === 0) {
      await spool.removeSource(received.source);
      throw emptyBody();
    }
    metrics.uploadBytes.add(received.bytes);
    const { source, sha256 } = received;
    const asGiven =
      encoding === undefined
        ? { source, digest: `upload:${sha256}` }
        : {
            source: { kind: 'encoded', source, encoding } as const,
            digest: `upload:${sha256}:${JSON.stringify(encoding)}`,
          };
    return this.#submit('upload', { ...job, ...asGiven, label: 'upload' });
  }

  /** Many files as one job: those in the form, and those at places that it names. */
  async #form(
    collection: Collection,
    request: FastifyRequest,
    body: IncomingMessage,
    said: SaidFormat,
    maxFailures: MaxFailures | undefined,
  ): Promise<Submitted> {
    const { spool, config, metrics } = this.#parts;
    const job = { ...uploadedJob(collection, request), maxFailures };
    const form = new FileForm(body);
    const maxBytes = config.maxUploadBytes;
    const { source: packed, bytes, sha256 } = await spool.receive(job.id, form.packed(), { maxBytes });
    try {
      if (bytes === 0 && form.places.length === 0) throw emptyBody();
      metrics.uploadBytes.add(bytes);
      const found = await filesAt(form.places, said.format !== undefined, this.#readable());
      const files = readAs([...form.files, ...found], said);
      const given = JSON.stringify([form.files, form.places, said]);
      return await this.#submit('files', {
        ...job,
        source: { ...(await sourceOfFiles(spool, job.id, files)), packed },
        label: `${files.length} files`,
        digest: `files:${sha256}:${hash('sha256', given)}`,
      });
    } catch (error) {
      await spool.removeSource(packed);
      throw error;
    }
  }

  /** Errors: `invalid_request`, `payload_too_large`, a document's own, `source_forbidden`, `source_unreadable`. */
  async json(collection: Collection, request: FastifyRequest, body: JsonBody): Promise<Submitted> {
    const parsed = parseRequest(submissionSchema, body.value);
    if (!parsed.success) throw invalidRequest(parsed.error);
    const { documents, source, webhook, maxFailures, priority = priorityOf(request) } = parsed.data;
    const job = {
      ...{ id: idFor(collection, request), purpose: 'ingest' as const, collection },
      ...{ digest: `json:${body.sha256}`, retryOf: null, webhook, maxFailures },
      priority,
    };
    if (documents !== undefined) {
      const lines = inlineLines(documents, collection, this.#parts.config.metadataBytes);
      return this.#submit('inline', { ...job, source: { kind: 'inline', lines }, label: 'inline' });
    }
    const { path = '', url, s3, files: places, ...said } = source ?? {};
    if (places !== undefined) {
      const files = readAs(await filesAt(places, said.format !== undefined, this.#readable()), said);
      const read = await sourceOfFiles(this.#parts.spool, job.id, files);
      return this.#submit('files', { ...job, source: read, label: labelOf(places, files.length) });
    }
    if (url !== undefined) {
      const named = formatOfName(URL.parse(url)?.pathname ?? '');
      const isSaid = named.format !== undefined || named.gzip || Object.keys(said).length > 0;
      const encoding = isSaid ? encodingOfNamed(named, said) : undefined;
      return this.#submit('url', { ...job, source: { kind: 'url', url, encoding }, label: redacted(url) });
    }
    const named = formatOfName(s3 ?? path);
    const encoding = encodingOfNamed(named, said);
    const { sourceFolder, s3Sources, s3: objects } = this.#readable();
    const found =
      s3 === undefined
        ? await openLocalSource(path, sourceFolder)
        : await openS3Source(s3, s3Sources, objects);
    const read = encoding === undefined ? found : ({ kind: 'encoded', source: found, encoding } as const);
    return this.#submit(s3 === undefined ? 'path' : 's3', { ...job, source: read, label: s3 ?? path });
  }

  /** What the present request may have the server read. */
  #readable(): Readable {
    const { config, spool } = this.#parts;
    return {
      sourceFolder: sourceFolder(config),
      s3Sources: belowTenant(config.s3Sources),
      s3: spool.s3,
    };
  }

  /** A new job of the documents that failed. Errors: `job_not_found`, `job_not_finished`, `nothing_to_retry`. */
  async retry(id: JobId, request: FastifyRequest): Promise<Submitted> {
    const { queue, spool, store } = this.#parts;
    const record = await queue.getSubmission(id);
    if (record === undefined) throw new EmbedmillError('job_not_found', `there is no job ${id}`);
    if (!isFinished(record.state)) {
      const message = `job ${id} is ${record.state}; its failures can be tried again once it has finished`;
      throw new EmbedmillError('job_not_finished', message, { retryAfter: 2 });
    }
    if (record.purpose === 'export') {
      const message = `job ${id} is an export, of which nothing can be tried again; export again`;
      throw new EmbedmillError('nothing_to_retry', message);
    }
    const collection = await requireCollectionOf(record, store);
    const retryId = idFor(collection, request);
    const source = record.progress.failed > 0 ? sourceOf(record) : undefined;
    const received = source && (await spool.collectFailures(id, source, retryId));
    if (received === undefined) {
      const message = `no document of job ${id} failed; there is nothing to retry`;
      throw new EmbedmillError('nothing_to_retry', message);
    }
    const { purpose, tenant, label, priority, webhook, sequence } = record;
    return this.#submit('retry', {
      priority,
      webhook,
      sequence,
      ...{ id: retryId, purpose, collection, tenant, source: received.source, label },
      ...{ digest: `retry:${id}:${received.sha256}`, retryOf: id },
    });
  }

  /**
   * Compares a job's documents with the store, and submits what is missing: the whole job where the queue lost it, a new
   * one of the missing documents where it has finished. Errors: `job_not_found`, those of the comparison.
   */
  async verify(id: JobId): Promise<Verification> {
    const { queue, spool, store, log } = this.#parts;
    const recovered = await recoverJob(id, this.#parts);
    const record = recovered ?? (await queue.getSubmission(id));
    if (record === undefined) throw new EmbedmillError('job_not_found', `there is no job ${id}`);
    if (record.purpose !== 'ingest') {
      const message =
        record.purpose === 'export'
          ? `job ${id} is an export, which stores nothing`
          : `job ${id} is a migration; begin it again: what is there is left as it is`;
      throw new EmbedmillError('invalid_request', message);
    }
    await requireCollectionOf(record, store);
    const { state } = record;
    const looked = new JobComparison(record, this.#parts);
    const view = { job: id, state, recovered: recovered !== undefined };
    if (!isFinished(state)) {
      return { ...view, ...(await looked.compare()), resubmitted: null };
    }
    const again = newJobId();
    const unlimited = { maxBytes: Number.MAX_SAFE_INTEGER };
    const { source, bytes, sha256 } = await spool.receive(again, looked.missingLines(), unlimited);
    if (bytes === 0) {
      await spool.removeSource(source);
      return { ...view, ...looked.comparison, resubmitted: null };
    }
    log.warn({ job: id, missing: looked.comparison.missing, again }, 'documents of the job are missing');
    await this.#submit('verify', {
      priority: record.priority,
      webhook: record.webhook,
      ...{ id: again, purpose: record.purpose, collection: record.collection, tenant: record.tenant },
      ...{ source, label: record.label, digest: `verify:${id}:${sha256}`, retryOf: id },
      sequence: record.sequence,
    });
    return { ...view, ...looked.comparison, resubmitted: again };
  }

  /** A job that adds the vectors of `collection.other` to all documents that are stored. */
  migrate(collection: Collection): Promise<Submitted> {
    return this.#submit('collection', {
      ...{ id: newJobId(), purpose: 'migrate', collection, retryOf: null },
      ...{ source: { kind: 'collection' }, label: MIGRATION_SOURCE, digest: MIGRATION_SOURCE },
    });
  }

  /** A job that brings the documents of the collection's twin. */
  copy(collection: Collection): Promise<Submitted> {
    return this.#submit('collection', {
      ...{ id: newJobId(), purpose: 'copy', collection, retryOf: null },
      ...{ source: { kind: 'collection' }, label: COPIED, digest: 'copy' },
    });
  }

  /**
   * A job that writes the collection's documents, or its points with their vectors, to a file. Errors: those of
   * `Idempotency-Key`, `source_forbidden` where the server may not write to `sink.to`.
   */
  export(
    collection: Collection,
    request: FastifyRequest,
    {
      sink,
      filter,
      tenant,
      webhook,
    }: {
      sink: Sink;
      filter?: Filter | undefined;
      tenant?: TenantId | undefined;
      webhook?: Webhook | undefined;
    },
  ): Promise<Submitted> {
    if (sink.to !== undefined) {
      assertS3Target(sink.to, belowTenant(this.#parts.config.s3Targets));
    }
    return this.#submit('collection', {
      id: idFor(collection, request),
      purpose: 'export',
      collection,
      retryOf: null,
      source: { kind: 'collection', filter, tenant },
      sink,
      webhook,
      label: MIGRATION_SOURCE,
      digest: `export:${JSON.stringify([sink, filter, tenant])}`,
    });
  }

  /**
   * The job is in the spool before it is on the queue, so that it is not lost where the queue loses it. Afterwards
   * the spool has what the id stands for, and no source that no job was made of.
   */
  async #submit(kind: SubmissionKind, given: NewJob): Promise<Submitted> {
    const { queue, spool, metrics, log, config } = this.#parts;
    const job = { ...given, metadataBytes: config.metadataBytes };
    let kept = false;
    let created = false;
    try {
      const submitted = await queue.submit(job, async (record) => {
        kept = true;
        await spool.keepRecord(job.id, record, 'unfinished');
      });
      created = submitted.created;
      if (created) metrics.jobs.add(1, { source: kind });
      log.info({ job: job.id, collection: job.collection.name, kind, created }, 'a job was submitted');
      return submitted;
    } catch (thrown) {
      // Whether the queue has it is not known: should it, the job is whole; should it not, it is recovered.
      created = kept && asEmbedmillError(thrown).code === 'queue_unavailable';
      throw thrown;
    } finally {
      if (!created) await this.#withdraw(job, kept);
    }
  }

  /** Removes what a submission left that no job was made of. */
  async #withdraw({ id, source }: NewJob, kept: boolean): Promise<void> {
    const { queue, spool } = this.#parts;
    if (kept) {
      const record = await queue.getSubmission(id);
      if (record === undefined || isFinished(record.state)) await spool.forgetRecord(id);
      else await spool.keepRecord(id, record, 'unfinished');
    }
    for (const stored of storedIn(source)) await spool.removeSource(stored);
  }
}

/** What a migration's job shows as its source. */
export const MIGRATION_SOURCE = 'collection';

type SubmissionKind =
  'upload' | 'inline' | 'path' | 's3' | 'url' | 'files' | 'retry' | 'verify' | 'collection';

/** What to say to a request whose body should have documents and has none. */
export function emptyBody(): EmbedmillError {
  const message =
    'the body is empty; send documents as NDJSON (application/x-ndjson), one a line, as CSV or as Parquet';
  return new EmbedmillError('invalid_request', message);
}

function uploadedJob(collection: Collection, request: FastifyRequest) {
  return {
    id: idFor(collection, request),
    purpose: 'ingest' as const,
    collection,
    priority: priorityOf(request),
    retryOf: null,
    webhook: webhookOfHeaders(request.headers),
  };
}

/** Of the query, which the route has checked. */
function priorityOf({ query }: FastifyRequest): Priority | undefined {
  return prioritySchema.safeParse((query as { priority?: unknown }).priority).data;
}

/** The id of the job that a request makes. */
export function idFor(collection: Collection, request: FastifyRequest): JobId {
  const { tenant } = currentPrincipal();
  const key = request.headers['idempotency-key'];
  return typeof key === 'string' ? jobIdOfKey(collection, key, tenant) : newJobId();
}

/** Of a tenant's key, the folder of the tenant's name: what lies beside it is others'. */
function sourceFolder({ sourceFolder: folder }: ApiParts['config']): string | undefined {
  const own = tenantFolder();
  return folder === undefined || own === undefined ? folder : join(folder, own);
}

/** As `sourceFolder`, of places in buckets. */
function belowTenant(places: readonly string[]): readonly string[] {
  const own = tenantFolder();
  return own === undefined ? places : places.map((place) => `${place.replace(/\/$/, '')}/${own}`);
}

/** Undefined where the key is bound to no tenant. Errors: `source_forbidden`. */
function tenantFolder(): string | undefined {
  const { tenant, name } = currentPrincipal();
  if (tenant === undefined || /^[\w-][\w.-]*$/.test(tenant)) return tenant;
  const message = `${name} may read no files or buckets here: the name of its tenant cannot be a folder's; upload the file`;
  throw new EmbedmillError('source_forbidden', message);
}

function inlineLines(documents: unknown[], collection: Collection, metadataBytes = METADATA_BYTES): string[] {
  if (documents.length > MAX_INLINE_DOCUMENTS)
    throw tooLargeInline(`there are ${documents.length} documents`);
  const { tenant } = currentPrincipal();
  const parsed = documents.map((value) =>
    parseDocument(value, collection.profile, tenant, { metadataBytes }),
  );
  const details = parsed.flatMap((parse, index): ErrorDetail[] => {
    if (parse.ok) return [];
    const found =
      parse.error.details.length > 0 ? parse.error.details : [{ path: '', message: parse.error.message }];
    return found.map(({ path, message }) => ({
      path: ['documents', index, path].filter((part) => part !== '').join('/'),
      message,
    }));
  });
  const wrong = parsed.find((parse) => !parse.ok);
  if (wrong === undefined) return documents.map((value) => JSON.stringify(value));
  const bad = parsed.filter((parse) => !parse.ok).length;
  const message = `${bad} of ${documents.length} documents are not valid, so nothing was accepted; first ${details[0]?.path}: ${wrong.error.message}`;
  throw new EmbedmillError(wrong.error.code, message, { details });
}
