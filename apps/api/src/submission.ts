import type { IncomingMessage } from 'node:http';
import { join } from 'node:path';
import type { FastifyRequest } from 'fastify';
import { z } from 'zod';
import {
  documentSchema,
  EmbedmillError,
  isFinished,
  parseDocument,
  type Collection,
  type CollectionName,
  type ErrorDetail,
  type Job,
  type JobId,
  type SourceRef,
} from '@embedmill/jobs';
import { jobIdOfKey, newJobId, sourceOf, type NewJob } from '@embedmill/queue';
import { openLocalSource, redacted } from '@embedmill/sources';
import { currentPrincipal } from './access/principal.ts';
import { requireCollection } from './collection.ts';
import type { ApiParts } from './parts.ts';
import { invalidRequest } from './problem.ts';
import { bytesOf, expectedBytes, MAX_INLINE_DOCUMENTS, tooLargeInline, type JsonBody } from './upload.ts';

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
        path: z
          .string()
          .min(1)
          .optional()
          .meta({ description: 'A file of NDJSON that the server may read.' }),
        url: z
          .url({ protocol: /^https?$/, error: 'must be an http or https URL' })
          .max(8192)
          .optional()
          .meta({ description: 'Where the server fetches NDJSON from.' }),
      })
      .refine(({ path, url }) => (path === undefined) !== (url === undefined), 'give a path or a url')
      .optional(),
  })
  .refine(
    ({ documents, source }) => (documents === undefined) !== (source === undefined),
    'give documents or a source',
  );

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
  upload(collection: Collection, request: FastifyRequest, body: IncomingMessage): Promise<Submitted> {
    const submitted = this.#upload(collection, request, body);
    this.#receiving.add(submitted);
    const forget = () => void this.#receiving.delete(submitted);
    submitted.then(forget, forget);
    return submitted;
  }

  /** Resolves when no upload is under way, broken ones cleared away. */
  async settled(): Promise<void> {
    await Promise.allSettled(this.#receiving);
  }

  async #upload(collection: Collection, request: FastifyRequest, body: IncomingMessage): Promise<Submitted> {
    const { spool, config, metrics } = this.#parts;
    const id = idFor(collection, request);
    const received = await spool.receive(id, bytesOf(body), {
      maxBytes: config.maxUploadBytes,
      expectedBytes: expectedBytes(request.headers),
    });
    if (received.bytes === 0) {
      await spool.removeSource(received.source);
      throw emptyBody();
    }
    metrics.uploadBytes.add(received.bytes);
    const digest = `upload:${received.sha256}`;
    const { source } = received;
    return this.#submitSpooled('upload', {
      id,
      purpose: 'ingest',
      collection,
      source,
      label: 'upload',
      digest,
      retryOf: null,
    });
  }

  /** Errors: `invalid_request`, `payload_too_large`, a document's own, `source_forbidden`, `source_unreadable`. */
  async json(collection: Collection, request: FastifyRequest, body: JsonBody): Promise<Submitted> {
    const parsed = submissionSchema.safeParse(body.value);
    if (!parsed.success) throw invalidRequest(parsed.error);
    const { documents, source } = parsed.data;
    const job = {
      ...{ id: idFor(collection, request), purpose: 'ingest' as const, collection },
      ...{ digest: `json:${body.sha256}`, retryOf: null },
    };
    if (documents !== undefined) {
      const lines = inlineLines(documents, collection);
      return this.#submit('inline', { ...job, source: { kind: 'inline', lines }, label: 'inline' });
    }
    if (source?.url !== undefined) {
      const label = redacted(source.url);
      return this.#submit('url', { ...job, source: { kind: 'url', url: source.url }, label });
    }
    const path = source?.path ?? '';
    const file = await openLocalSource(path, sourceFolder(this.#parts.config));
    return this.#submit('path', { ...job, source: file, label: path });
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
    const collection = await requireCollection(store, record.collection.name);
    const retryId = idFor(collection, request);
    const source = record.progress.failed > 0 ? sourceOf(record) : undefined;
    const received = source && (await spool.collectFailures(id, source, retryId));
    if (received === undefined) {
      const message = `no document of job ${id} failed; there is nothing to retry`;
      throw new EmbedmillError('nothing_to_retry', message);
    }
    return this.#submitSpooled('retry', {
      id: retryId,
      purpose: record.purpose,
      collection,
      tenant: record.tenant,
      source: received.source,
      label: record.label,
      digest: `retry:${id}:${received.sha256}`,
      retryOf: id,
    });
  }

  /** As `submit`, but a source that no job was made of is removed. */
  async #submitSpooled(kind: SubmissionKind, job: NewJob & { source: SourceRef }): Promise<Submitted> {
    let created = false;
    try {
      const submitted = await this.#submit(kind, job);
      created = submitted.created;
      return submitted;
    } finally {
      if (!created) await this.#parts.spool.removeSource(job.source);
    }
  }

  /** A job that adds the vectors of `collection.other` to all documents that are stored. */
  migrate(collection: Collection): Promise<Submitted> {
    return this.#submit('collection', {
      ...{ id: newJobId(), purpose: 'migrate', collection, retryOf: null },
      ...{ source: { kind: 'collection' }, label: MIGRATION_SOURCE, digest: MIGRATION_SOURCE },
    });
  }

  async #submit(kind: SubmissionKind, job: NewJob): Promise<Submitted> {
    const { queue, metrics, log } = this.#parts;
    const submitted = await queue.submit(job);
    if (submitted.created) metrics.jobs.add(1, { source: kind });
    const { created } = submitted;
    log.info({ job: job.id, collection: job.collection.name, kind, created }, 'a job was submitted');
    return submitted;
  }
}

/** What a migration's job shows as its source. */
export const MIGRATION_SOURCE = 'collection';

type SubmissionKind = 'upload' | 'inline' | 'path' | 'url' | 'retry' | 'collection';

/** What to say to a request whose body should have documents and has none. */
export function emptyBody(): EmbedmillError {
  const message = 'the body is empty; send documents as NDJSON (application/x-ndjson), one a line';
  return new EmbedmillError('invalid_request', message);
}

function idFor(collection: Collection, request: FastifyRequest): JobId {
  const { tenant } = currentPrincipal();
  const key = request.headers['idempotency-key'];
  return typeof key === 'string' ? jobIdOfKey(collection.name as CollectionName, key, tenant) : newJobId();
}

/** Of a tenant's key, the folder of the tenant's name: what lies beside it is others'. */
function sourceFolder({ sourceFolder: folder }: ApiParts['config']): string | undefined {
  const { tenant, name } = currentPrincipal();
  if (tenant === undefined || folder === undefined) return folder;
  if (/^[\w-][\w.-]*$/.test(tenant)) return join(folder, tenant);
  const message = `${name} may read no files here: the name of its tenant cannot be a folder's; upload the file`;
  throw new EmbedmillError('source_forbidden', message);
}

function inlineLines(documents: unknown[], collection: Collection): string[] {
  if (documents.length > MAX_INLINE_DOCUMENTS)
    throw tooLargeInline(`there are ${documents.length} documents`);
  const { tenant } = currentPrincipal();
  const parsed = documents.map((value) => parseDocument(value, collection.profile, tenant));
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
