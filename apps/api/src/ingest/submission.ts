import { hash } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import { Readable } from 'node:stream';
import type { FastifyRequest } from 'fastify';
import {
  askedSink,
  encodingOfNamed,
  formatOfName,
  prioritySchema,
  type Collection,
  type EmbeddingProfile,
  type Filter,
  type JobId,
  type MaxFailures,
  type OutputRequest,
  type Priority,
  type SaidFormat,
  type Sink,
  type SourceEncoding,
  type SourceRef,
  type StoredSource,
  type TenantId,
  type Webhook,
} from '@embedmill/jobs';
import { newJobId, type NewJob } from '@embedmill/queue';
import { assertS3Target, openLocalSource, openS3Source, redacted } from '@embedmill/sources';
import { parseRequest } from '../http/absent-fields.ts';
import { requireScope } from '../access/principal.ts';
import { acceptJob, idFor, type Submitted, type SubmissionKind } from './accepted-job.ts';
import { ownDefinition } from '../collections/collection.ts';
import type { ApiParts } from '../parts.ts';
import { invalidRequest } from '../http/problem.ts';
import { FileForm } from './file-form.ts';
import { filesAt, labelOf, readAs, sourceOfFiles } from '../sources/source-files.ts';
import { requireFile } from '../batches/client-records.ts';
import { belowTenant, readable } from '../sources/source-places.ts';
import {
  documentLines,
  embeddingJobSchema,
  emptyBody,
  intentOf,
  submissionSchema,
  type GivenDocuments,
  type Intent,
} from './submission-body.ts';
import { pacedBytes, USUAL_PACE } from '../http/body-pace.ts';
import {
  expectedBytes,
  webhookOfHeaders,
  MAX_INLINE_BYTES,
  MAX_INLINE_DOCUMENTS,
  tooLargeInline,
  type JsonBody,
} from './upload.ts';

/** The target of a job's documents, and the definition by which they are embedded. */
export type Target = Intent & { collection: Collection };

/** For a job whose vectors go to a file. */
export interface EmbeddingTarget {
  profile: EmbeddingProfile;
  output: OutputRequest;
  sourceName?: string | undefined;
}

export interface UploadReading {
  intent: Intent;
  /** The encoding of one file (undefined for plain NDJSON), or a form of many, with the options for all of them. */
  content: { kind: 'one'; encoding: SourceEncoding | undefined } | { kind: 'form'; said: SaidFormat };
  maxFailures: MaxFailures | undefined;
}

/** The documents to delete: by `ids` or by `filter`. Without a tenant, ids refer to the default one. */
export interface Deletion {
  ids?: readonly string[] | undefined;
  filter?: Filter | undefined;
  tenant?: TenantId | undefined;
  priority?: Priority | undefined;
  webhook?: Webhook | undefined;
}

/** Turns requests into jobs. A refused request leaves nothing behind. */
export class Submission {
  readonly #parts: ApiParts;
  readonly #receiving = new Set<Promise<unknown>>();

  constructor(parts: ApiParts) {
    this.#parts = parts;
  }

  /** Errors: `upload_incomplete`, `payload_too_large`, `invalid_request` if it is empty. */
  upload(
    collection: Collection,
    request: FastifyRequest,
    body: IncomingMessage,
    how: UploadReading,
  ): Promise<Submitted> {
    const { content } = how;
    const job = { ...uploadedJob({ collection, ...how.intent }, request), maxFailures: how.maxFailures };
    const submitted =
      content.kind === 'form'
        ? this.#form(job, body, content.said)
        : this.#upload(job, request, body, content.encoding);
    this.#receiving.add(submitted);
    const forget = () => void this.#receiving.delete(submitted);
    submitted.then(forget, forget);
    return submitted;
  }

  /** Resolves once no upload is in progress and broken ones are cleaned up. */
  async settled(): Promise<void> {
    await Promise.allSettled(this.#receiving);
  }

  async #upload(
    job: UploadedJob,
    request: FastifyRequest,
    body: IncomingMessage,
    encoding: SourceEncoding | undefined,
  ): Promise<Submitted> {
    const { spool, config, metrics } = this.#parts;
    const received = await spool.receive(job.id, pacedBytes(body, USUAL_PACE), {
      maxBytes: config.maxUploadBytes,
      expectedBytes: expectedBytes(request.headers),
    });
    if (received.bytes === 0) {
      await spool.removeSource(received.source);
      throw emptyBody();
    }
    metrics.uploadBytes.add(received.bytes);
    return this.#submit('upload', { ...job, ...readingOf(received, encoding, job) });
  }

  /** Many files as one job: those in the form, and those at the places that it names. */
  async #form(job: UploadedJob, body: IncomingMessage, said: SaidFormat): Promise<Submitted> {
    const { spool, config, metrics } = this.#parts;
    const form = new FileForm(body);
    const maxBytes = config.maxUploadBytes;
    const { source: packed, bytes, sha256 } = await spool.receive(job.id, form.packed(), { maxBytes });
    const listed = async () => {
      if (bytes === 0 && form.places.length === 0) throw emptyBody();
      const found = await filesAt(form.places, said.format !== undefined, readable(this.#parts));
      const files = readAs([...form.files, ...found], said);
      const source = { ...(await sourceOfFiles(spool, job.id, files)), packed };
      return { source, label: `${files.length} files` };
    };
    const { source, label } = await listed().catch(async (error: unknown) => {
      await spool.removeSource(packed);
      throw error;
    });
    metrics.uploadBytes.add(bytes);
    const given = JSON.stringify([form.files, form.places, said]);
    const digest = `files:${sha256}:${hash('sha256', given)}${intentDigest(job)}`;
    return this.#submit('files', { ...job, source, label, digest });
  }

  /** Errors: `invalid_request`, `payload_too_large`, a document's own, `source_forbidden`, `source_unreadable`. */
  async json(collection: Collection, request: FastifyRequest, body: JsonBody): Promise<Submitted> {
    const parsed = parseRequest(submissionSchema, body.value);
    if (!parsed.success) throw invalidRequest(parsed.error);
    return this.#json({ collection, ...intentOf(parsed.data) }, request, parsed.data, body);
  }

  /** A job whose vectors go to a file. Errors: those of `json` and of `target`. */
  async embed(request: FastifyRequest, body: JsonBody): Promise<Submitted> {
    const parsed = parseRequest(embeddingJobSchema, body.value);
    if (!parsed.success) throw invalidRequest(parsed.error);
    return this.#json(await this.target(parsed.data), request, parsed.data, body);
  }

  /**
   * The target of a job whose vectors go to a file. Errors: `model_not_found`, `invalid_profile`, `source_forbidden` if
   * the server may not write to `output.to`.
   */
  async target({ profile, output, sourceName }: EmbeddingTarget): Promise<Target> {
    requireScope('search', 'embedding to a file');
    const { models, config } = this.#parts;
    if (output.to !== undefined) assertS3Target(output.to, belowTenant(config.s3Targets));
    const collection = await ownDefinition(profile, models);
    return { collection, purpose: 'embed', sourceName, sink: { ...output, vectors: true, structure: true } };
  }

  async #json(
    { collection, ...intent }: Target,
    request: FastifyRequest,
    given: GivenDocuments,
    body: JsonBody,
  ): Promise<Submitted> {
    const { documents, source, webhook, maxFailures, priority = priorityOf(request) } = given;
    const job = {
      ...intent,
      id: idFor(collection, request),
      collection,
      digest: `json:${body.sha256}`,
      retryOf: null,
      webhook,
      maxFailures,
      priority,
    };
    if (documents !== undefined) {
      if (documents.length > MAX_INLINE_DOCUMENTS)
        throw tooLargeInline(`there are ${documents.length} documents`);
      const lines = documentLines(
        'documents',
        documents,
        collection,
        intent,
        this.#parts.config.metadataBytes,
      );
      return this.#submit('inline', { ...job, source: { kind: 'inline', lines }, label: 'inline' });
    }
    const { path = '', url, s3, files: places, file, ...said } = source ?? {};
    if (file !== undefined)
      return this.#submit('upload', { ...job, ...(await this.#copied(job, file, said)) });
    if (places !== undefined) {
      const files = readAs(await filesAt(places, said.format !== undefined, readable(this.#parts)), said);
      const read = await sourceOfFiles(this.#parts.spool, job.id, files);
      return this.#submit('files', { ...job, source: read, label: labelOf(places, files.length) });
    }
    if (url !== undefined) {
      const named = formatOfName(URL.parse(url)?.pathname ?? '');
      const isSaid = named.format !== undefined || named.gzip || Object.keys(said).length > 0;
      const encoding = isSaid ? withName(encodingOfNamed(named, said), redacted(url)) : undefined;
      return this.#submit('url', { ...job, source: { kind: 'url', url, encoding }, label: redacted(url) });
    }
    const named = formatOfName(s3 ?? path);
    const encoding = withName(encodingOfNamed(named, said), s3 ?? path);
    const { sourceFolder: folder, s3Sources, s3: objects } = readable(this.#parts);
    const found =
      s3 === undefined ? await openLocalSource(path, folder) : await openS3Source(s3, s3Sources, objects);
    const read = encoding === undefined ? found : ({ kind: 'encoded', source: found, encoding } as const);
    return this.#submit(s3 === undefined ? 'path' : 's3', { ...job, source: read, label: s3 ?? path });
  }

  /** A client's file as a job's own source, as if it had come with the request. Errors: `file_not_found`. */
  async #copied(job: NewJobIntent, id: string, said: SaidFormat): Promise<GivenSource> {
    const { spool } = this.#parts;
    const file = await requireFile(spool.files, id);
    const encoding = withName(encodingOfNamed(formatOfName(file.filename), said), file.filename);
    const received = await spool.receive(job.id, spool.readSource(file.source), {
      maxBytes: Number.MAX_SAFE_INTEGER,
      expectedBytes: file.source.size,
    });
    return readingOf(received, encoding, job);
  }

  /**
   * A job that deletes documents: those with these ids, or those that match a filter. Errors: those of an invalid id.
   */
  async delete(
    collection: Collection,
    request: FastifyRequest,
    { ids, filter, tenant, priority, webhook }: Deletion,
  ): Promise<Submitted> {
    const id = idFor(collection, request);
    return this.#submit('deletion', {
      id,
      purpose: 'ingest',
      collection,
      retryOf: null,
      priority,
      webhook,
      source:
        ids === undefined
          ? { kind: 'collection', filter, tenant }
          : await this.#tombstones(id, collection, ids, tenant),
      label: 'deletion',
      digest: `delete:${JSON.stringify([ids, filter, tenant])}`,
    });
  }

  /** A few ids are stored in the job, like documents. */
  async #tombstones(
    job: JobId,
    collection: Collection,
    ids: readonly string[],
    tenant: TenantId | undefined,
  ): Promise<SourceRef> {
    const documents = ids.map((id) => ({ id, tenant, deleted: true }));
    const lines = documentLines('ids', documents, collection, {});
    const bytes = Buffer.from(lines.map((line) => `${line}\n`).join(''));
    if (ids.length <= MAX_INLINE_DOCUMENTS && bytes.length <= MAX_INLINE_BYTES)
      return { kind: 'inline', lines };
    const { source } = await this.#parts.spool.receive(job, Readable.from([bytes]), {
      maxBytes: bytes.length,
    });
    return source;
  }

  /** A job that adds the vectors of `collection.other` to all stored documents. */
  migrate(collection: Collection): Promise<Submitted> {
    return this.#submit('collection', {
      id: newJobId(),
      purpose: 'migrate',
      collection,
      retryOf: null,
      source: { kind: 'collection' },
      label: MIGRATION_SOURCE,
      digest: MIGRATION_SOURCE,
    });
  }

  /** A job that copies the documents of the collection's twin. */
  copy(collection: Collection): Promise<Submitted> {
    return this.#submit('collection', {
      id: newJobId(),
      purpose: 'copy',
      collection,
      retryOf: null,
      source: { kind: 'collection' },
      label: COPIED,
      digest: 'copy',
    });
  }

  /**
   * A job that writes the collection's documents, or its points with their vectors, to a file. Errors: those of
   * `Idempotency-Key`, `source_forbidden` if the server may not write to `sink.to`.
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
    if (sink.to !== undefined) assertS3Target(sink.to, belowTenant(this.#parts.config.s3Targets));
    return this.#submit('collection', {
      id: idFor(collection, request),
      purpose: 'export',
      collection,
      retryOf: null,
      source: { kind: 'collection', filter, tenant },
      sink,
      webhook,
      label: MIGRATION_SOURCE,
      digest: `export:${JSON.stringify([askedSink(sink), filter, tenant])}`,
    });
  }

  #submit(kind: SubmissionKind, job: NewJob): Promise<Submitted> {
    return acceptJob(kind, job, this.#parts);
  }
}

/** A file that is a document is identified by its name. */
function withName(encoding: SourceEncoding | undefined, name: string): SourceEncoding | undefined {
  return encoding?.format === 'document' ? { ...encoding, name } : encoding;
}

/** The source that a migration's job shows. */
export const MIGRATION_SOURCE = 'collection';
/** The source that a copy's job shows. */
export const COPIED = 'collection';

function uploadedJob({ collection, ...intent }: Target, request: FastifyRequest) {
  return {
    ...intent,
    id: idFor(collection, request),
    collection,
    priority: priorityOf(request),
    retryOf: null,
    webhook: webhookOfHeaders(request.headers),
  };
}

/** The received data as a job's source; its digest also covers how the bytes are read and used. */
function readingOf(
  { source, sha256 }: { source: StoredSource; sha256: string },
  encoding: SourceEncoding | undefined,
  job: NewJobIntent,
): GivenSource {
  const digest = `upload:${sha256}${encoding === undefined ? '' : `:${JSON.stringify(encoding)}`}${intentDigest(job)}`;
  if (encoding === undefined) return { source, digest, label: 'upload' };
  return { source: { kind: 'encoded', source, encoding }, digest, label: 'upload' };
}

type GivenSource = Pick<NewJob, 'source' | 'digest' | 'label'>;
/** For a job whose documents have not been read yet. */
type NewJobIntent = Intent & Pick<NewJob, 'id' | 'collection'>;
type UploadedJob = ReturnType<typeof uploadedJob> & { maxFailures: MaxFailures | undefined };

/** From the query, which the route has validated. */
function priorityOf({ query }: FastifyRequest): Priority | undefined {
  return prioritySchema.safeParse((query as { priority?: unknown }).priority).data;
}

/** Distinguishes a snapshot, a dry run, or another file from a plain submission of the same documents. */
function intentDigest({ mode, sourceName, maxDeleted, purpose, sink, collection }: NewJobIntent): string {
  const file = purpose === 'embed' ? { sink: sink && askedSink(sink), profile: collection.profile } : {};
  const said = JSON.stringify({ mode, sourceName, maxDeleted, purpose, ...file });
  return said === '{"purpose":"ingest"}' ? '' : `:${said}`;
}
