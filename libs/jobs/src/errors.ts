import { z } from 'zod';

/**
 * The one catalogue of what can go wrong: code → HTTP status, whether trying again can help, and a title.
 * Decisions are made on codes, never on a message's text.
 */
export const ERRORS = {
  // Requests
  invalid_request: { status: 400, retryable: false, title: 'The request is not valid' },
  invalid_json: { status: 400, retryable: false, title: 'The body is not valid JSON' },
  misdirected: { status: 421, retryable: false, title: 'The request is for another server' },
  not_found: { status: 404, retryable: false, title: 'There is nothing at this address' },
  collection_not_found: { status: 404, retryable: false, title: 'No such collection' },
  file_not_found: { status: 404, retryable: false, title: 'No such file' },
  batch_not_found: { status: 404, retryable: false, title: 'No such batch' },
  batch_finished: { status: 409, retryable: false, title: 'The batch has already ended' },
  dataset_not_found: { status: 404, retryable: false, title: 'No such dataset' },
  invalid_dataset: { status: 422, retryable: false, title: 'The dataset’s rows cannot be embedded' },
  invalid_batch: { status: 422, retryable: false, title: 'The file’s lines are no batch' },
  document_not_found: { status: 404, retryable: false, title: 'No such document' },
  collection_exists: { status: 409, retryable: false, title: 'The collection exists with another profile' },
  range_not_satisfiable: { status: 416, retryable: false, title: 'No such range of the file' },
  export_incomplete: { status: 409, retryable: false, title: 'The export could not read all documents' },
  migration_state: { status: 409, retryable: false, title: 'Not at this state of a migration' },
  invalid_profile: { status: 422, retryable: false, title: 'The profile cannot be used' },
  job_not_found: { status: 404, retryable: false, title: 'No such job' },
  job_not_finished: { status: 409, retryable: true, title: 'The job is still running' },
  job_finished: { status: 409, retryable: false, title: 'The job has already finished' },
  nothing_to_retry: { status: 409, retryable: false, title: 'The job has no failed documents' },
  model_not_found: { status: 404, retryable: false, title: 'No such model' },
  dimensions_not_allowed: { status: 400, retryable: false, title: 'The model has one vector size only' },
  idempotency_conflict: {
    status: 409,
    retryable: false,
    title: 'The Idempotency-Key was used for another request',
  },
  upload_incomplete: { status: 400, retryable: true, title: 'The upload ended early' },
  payload_too_large: { status: 413, retryable: false, title: 'The body is too large' },
  unsupported_media_type: { status: 415, retryable: false, title: 'The body has an unsupported type' },
  unauthenticated: { status: 401, retryable: false, title: 'A valid key is needed' },
  forbidden: { status: 403, retryable: false, title: 'The key does not allow this' },
  rate_limited: { status: 429, retryable: true, title: 'The key’s limit is reached' },
  identity_unavailable: { status: 503, retryable: true, title: 'The identity provider cannot be reached' },
  quota_exhausted: { status: 429, retryable: true, title: 'The quota of today is used up' },
  overloaded: { status: 429, retryable: true, title: 'Too much at once' },
  client_gone: { status: 499, retryable: true, title: 'The client left before its answer' },
  body_too_slow: { status: 408, retryable: true, title: 'The body came too slowly' },
  foreign_origin: { status: 403, retryable: false, title: 'Another site’s page may not ask this' },

  // Webhooks
  webhook_refused: { status: 422, retryable: false, title: 'The webhook cannot be delivered' },
  webhook_unavailable: { status: 503, retryable: true, title: 'The webhook’s receiver does not take it now' },

  // Sources
  source_forbidden: { status: 403, retryable: false, title: 'The server may not read this source' },
  source_not_found: { status: 404, retryable: false, title: 'No such source' },
  source_unreadable: { status: 422, retryable: false, title: 'The source cannot be read' },
  source_unavailable: { status: 503, retryable: true, title: 'The source cannot be reached now' },
  source_changed: { status: 409, retryable: false, title: 'The source changed while the job ran' },

  too_many_deletions: { status: 422, retryable: false, title: 'More documents would be deleted than may' },
  snapshot_incomplete: { status: 422, retryable: false, title: 'What the snapshot lacks cannot be told' },
  too_many_failures: { status: 422, retryable: false, title: 'More documents failed than may' },
  dispatcher_lost: {
    status: 500,
    retryable: false,
    title: 'Dispatchers died on the job again and again',
  },

  // Documents
  malformed_json: { status: 422, retryable: false, title: 'The line is not a JSON object' },
  malformed_row: { status: 422, retryable: false, title: 'The row cannot be read' },
  line_too_long: { status: 422, retryable: false, title: 'The line is too long' },
  invalid_utf8: { status: 422, retryable: false, title: 'Bytes that are no valid UTF-8' },
  invalid_unicode: { status: 422, retryable: false, title: 'The text has a lone surrogate or a NUL' },
  forbidden_key: { status: 422, retryable: false, title: 'A key that is not allowed' },
  foreign_source: { status: 422, retryable: false, title: 'The document is of another source' },
  foreign_tenant: { status: 403, retryable: false, title: 'The document is another tenant’s' },
  invalid_document: { status: 422, retryable: false, title: 'The document is not valid' },
  missing_id: { status: 422, retryable: false, title: 'The document has no id' },
  missing_text: { status: 422, retryable: false, title: 'The document has no text' },
  word_too_long: { status: 422, retryable: false, title: 'The text has too long a stretch without a space' },
  empty_text: { status: 422, retryable: false, title: 'The text is empty' },
  document_too_large: { status: 422, retryable: false, title: 'The document is too large to be stored' },
  metadata_too_large: { status: 422, retryable: false, title: 'The metadata is too large' },
  unsupported_document: { status: 422, retryable: false, title: 'Files of this kind are not read' },
  document_unreadable: { status: 422, retryable: false, title: 'The file is damaged' },
  document_encrypted: { status: 422, retryable: false, title: 'The file needs a password' },
  document_scanned: { status: 422, retryable: false, title: 'The file has pictures of text, and no text' },
  parsing_limit: { status: 422, retryable: false, title: 'The file takes more to read than is allowed' },
  invalid_vector: { status: 422, retryable: false, title: 'The document’s own vector cannot be stored' },
  unknown_text: { status: 422, retryable: false, title: 'The model knows nothing of the text' },
  metadata_type: { status: 422, retryable: false, title: 'A metadata field has the wrong type' },

  // Images and videos
  image_unreadable: { status: 422, retryable: false, title: 'The image cannot be read' },
  image_too_large: { status: 422, retryable: false, title: 'The image is too large' },
  image_forbidden: { status: 403, retryable: false, title: 'The server may not read this image' },
  image_unavailable: { status: 503, retryable: true, title: 'The image cannot be fetched now' },
  video_unsupported: { status: 501, retryable: false, title: 'Videos cannot be read here' },
  video_unreadable: { status: 422, retryable: false, title: 'The video cannot be read' },

  // Warnings on documents: stored or replaced all the same, and said
  duplicate_id: { status: 200, retryable: false, title: 'A later document of the job has the same id' },
  text_incomplete: { status: 200, retryable: false, title: 'The text is not all that was submitted' },
  text_truncated: { status: 200, retryable: false, title: 'The text was cut to what the model reads' },

  // Models and engines
  model_unavailable: { status: 503, retryable: true, title: 'The model cannot be loaded now' },
  model_corrupt: { status: 500, retryable: false, title: 'A model file is not what it should be' },
  engine_crashed: { status: 500, retryable: true, title: 'The engine process died' },
  engine_timeout: { status: 500, retryable: true, title: 'The engine did not answer in time' },
  engine_failed: { status: 500, retryable: true, title: 'The engine could not run the batch' },
  out_of_memory: { status: 500, retryable: true, title: 'The device ran out of memory' },
  worker_lost: { status: 500, retryable: true, title: 'Workers died on the shard again and again' },
  no_worker: { status: 503, retryable: true, title: 'No worker answered in time' },

  // Stores and queues
  dimension_mismatch: { status: 422, retryable: false, title: 'The vector has the wrong size' },
  invalid_filter: { status: 422, retryable: false, title: 'The filter cannot be used here' },
  store_rejected: { status: 500, retryable: false, title: 'The vector store refused the request' },
  store_unavailable: { status: 503, retryable: true, title: 'The vector store cannot be reached' },
  store_in_use: { status: 409, retryable: false, title: 'Another process owns the vector store' },
  queue_unavailable: { status: 503, retryable: true, title: 'The queue cannot be reached' },
  queue_full: { status: 503, retryable: true, title: 'The queue has no memory left' },
  queue_may_evict: { status: 503, retryable: false, title: 'The queue’s Redis may drop jobs' },
  spool_unavailable: { status: 503, retryable: true, title: 'The spool cannot be written or read' },

  invalid_config: { status: 500, retryable: false, title: 'A setting is wrong' },
  internal: { status: 500, retryable: true, title: 'Something broke that should not' },
} as const satisfies Record<string, { status: number; retryable: boolean; title: string }>;

export type ErrorCode = keyof typeof ERRORS;
export const errorCodeSchema = z
  .enum(Object.keys(ERRORS) as [ErrorCode, ...ErrorCode[]])
  .meta({ id: 'ErrorCode', description: 'What a program decides by.' });

/** One thing wrong at one place of the input; `path` is a JSON pointer without its leading slash. */
export interface ErrorDetail {
  path: string;
  message: string;
}

/** An error of the catalogue. `message` says what was wrong, where, and what to do. */
export class EmbedmillError extends Error {
  readonly code: ErrorCode;
  readonly details: ErrorDetail[];
  /** When trying again is worth it, in seconds, where it is known. */
  readonly retryAfter: number | undefined;

  constructor(
    code: ErrorCode,
    message: string,
    options: { details?: ErrorDetail[]; cause?: unknown; retryAfter?: number } = {},
  ) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = 'EmbedmillError';
    this.code = code;
    this.details = options.details ?? [];
    this.retryAfter = options.retryAfter;
  }

  get status(): number {
    return ERRORS[this.code].status;
  }

  get retryable(): boolean {
    return ERRORS[this.code].retryable;
  }
}

/** What was thrown, as an error of the catalogue: itself when it is one, else `internal` with the cause kept. */
export function asEmbedmillError(thrown: unknown, fallback: ErrorCode = 'internal'): EmbedmillError {
  if (thrown instanceof EmbedmillError) return thrown;
  const message = thrown instanceof Error ? thrown.message : String(thrown);
  return new EmbedmillError(fallback, message, { cause: thrown });
}
