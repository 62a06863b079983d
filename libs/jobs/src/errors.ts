import { z } from 'zod';

/**
 * The one catalogue of errors: code → HTTP status, whether a retry can help, and a title.
 * Decisions are made on codes, never on a message's text.
 */
export const ERRORS = {
  // Requests
  invalid_request: { status: 400, retryable: false, title: 'The request is not valid' },
  invalid_json: { status: 400, retryable: false, title: 'The body is not valid JSON' },
  misdirected: { status: 421, retryable: false, title: 'The request was meant for another server' },
  not_found: { status: 404, retryable: false, title: 'There is nothing at this address' },
  collection_not_found: { status: 404, retryable: false, title: 'No such collection' },
  file_not_found: { status: 404, retryable: false, title: 'No such file' },
  batch_not_found: { status: 404, retryable: false, title: 'No such batch' },
  batch_finished: { status: 409, retryable: false, title: 'The batch has already ended' },
  dataset_not_found: { status: 404, retryable: false, title: 'No such dataset' },
  invalid_dataset: { status: 422, retryable: false, title: 'The dataset’s rows cannot be embedded' },
  invalid_batch: { status: 422, retryable: false, title: 'The file is not a valid batch' },
  document_not_found: { status: 404, retryable: false, title: 'No such document' },
  collection_exists: {
    status: 409,
    retryable: false,
    title: 'The collection already exists with a different profile',
  },
  range_not_satisfiable: { status: 416, retryable: false, title: 'The requested range is outside the file' },
  export_incomplete: { status: 409, retryable: false, title: 'The export could not read all documents' },
  migration_state: { status: 409, retryable: false, title: 'The migration’s state does not allow this' },
  invalid_profile: { status: 422, retryable: false, title: 'The profile cannot be used' },
  job_not_found: { status: 404, retryable: false, title: 'No such job' },
  job_not_finished: { status: 409, retryable: true, title: 'The job is still running' },
  job_finished: { status: 409, retryable: false, title: 'The job has already finished' },
  nothing_to_retry: { status: 409, retryable: false, title: 'The job has no failed documents' },
  model_not_found: { status: 404, retryable: false, title: 'No such model' },
  dimensions_not_allowed: { status: 400, retryable: false, title: 'The model supports only one vector size' },
  idempotency_conflict: {
    status: 409,
    retryable: false,
    title: 'The Idempotency-Key was already used for another request',
  },
  upload_incomplete: { status: 400, retryable: true, title: 'The upload ended early' },
  payload_too_large: { status: 413, retryable: false, title: 'The body is too large' },
  unsupported_media_type: { status: 415, retryable: false, title: 'The body’s media type is not supported' },
  unauthenticated: { status: 401, retryable: false, title: 'A valid key is required' },
  forbidden: { status: 403, retryable: false, title: 'The key does not allow this' },
  rate_limited: { status: 429, retryable: true, title: 'The key has reached its rate limit' },
  identity_unavailable: { status: 503, retryable: true, title: 'The identity provider cannot be reached' },
  quota_exhausted: { status: 429, retryable: true, title: 'Today’s quota is used up' },
  overloaded: { status: 429, retryable: true, title: 'The server is overloaded' },
  client_gone: { status: 499, retryable: true, title: 'The client disconnected before the response' },
  body_too_slow: { status: 408, retryable: true, title: 'The body arrived too slowly' },
  foreign_origin: { status: 403, retryable: false, title: 'Cross-origin requests are not allowed here' },

  // Webhooks
  webhook_refused: { status: 422, retryable: false, title: 'The webhook cannot be delivered' },
  webhook_unavailable: { status: 503, retryable: true, title: 'The webhook’s receiver is unavailable' },

  // Sources
  source_forbidden: { status: 403, retryable: false, title: 'The server may not read this source' },
  source_not_found: { status: 404, retryable: false, title: 'No such source' },
  source_unreadable: { status: 422, retryable: false, title: 'The source cannot be read' },
  source_unavailable: { status: 503, retryable: true, title: 'The source cannot be reached now' },
  source_changed: { status: 409, retryable: false, title: 'The source changed while the job ran' },

  too_many_deletions: {
    status: 422,
    retryable: false,
    title: 'The job would delete more documents than allowed',
  },
  snapshot_incomplete: {
    status: 422,
    retryable: false,
    title: 'It is unknown which documents the snapshot lacks',
  },
  too_many_failures: { status: 422, retryable: false, title: 'More documents failed than allowed' },
  dispatcher_lost: {
    status: 500,
    retryable: false,
    title: 'Dispatchers died repeatedly while running the job',
  },

  // Documents
  malformed_json: { status: 422, retryable: false, title: 'The line is not a JSON object' },
  malformed_row: { status: 422, retryable: false, title: 'The row cannot be read' },
  line_too_long: { status: 422, retryable: false, title: 'The line is too long' },
  invalid_utf8: { status: 422, retryable: false, title: 'The bytes are not valid UTF-8' },
  invalid_unicode: { status: 422, retryable: false, title: 'The text has a lone surrogate or a NUL' },
  forbidden_key: { status: 422, retryable: false, title: 'The document has a forbidden key' },
  foreign_source: { status: 422, retryable: false, title: 'The document belongs to another source' },
  foreign_tenant: { status: 403, retryable: false, title: 'The document belongs to another tenant' },
  invalid_document: { status: 422, retryable: false, title: 'The document is not valid' },
  missing_id: { status: 422, retryable: false, title: 'The document has no id' },
  missing_text: { status: 422, retryable: false, title: 'The document has no text' },
  word_too_long: { status: 422, retryable: false, title: 'The text has too many characters without a space' },
  empty_text: { status: 422, retryable: false, title: 'The text is empty' },
  document_too_large: { status: 422, retryable: false, title: 'The document is too large to store' },
  metadata_too_large: { status: 422, retryable: false, title: 'The metadata is too large' },
  unsupported_document: { status: 422, retryable: false, title: 'Files of this type are not supported' },
  document_unreadable: { status: 422, retryable: false, title: 'The file is damaged' },
  document_encrypted: { status: 422, retryable: false, title: 'The file needs a password' },
  document_scanned: { status: 422, retryable: false, title: 'The file contains scanned pages but no text' },
  parsing_limit: { status: 422, retryable: false, title: 'Parsing the file exceeds the limits' },
  invalid_vector: { status: 422, retryable: false, title: 'The document’s vector cannot be stored' },
  unknown_text: { status: 422, retryable: false, title: 'The model recognizes no token of the text' },
  metadata_type: { status: 422, retryable: false, title: 'A metadata field has the wrong type' },

  // Images and videos
  image_unreadable: { status: 422, retryable: false, title: 'The image cannot be read' },
  image_too_large: { status: 422, retryable: false, title: 'The image is too large' },
  image_forbidden: { status: 403, retryable: false, title: 'The server may not read this image' },
  image_unavailable: { status: 503, retryable: true, title: 'The image cannot be fetched now' },
  video_unsupported: { status: 501, retryable: false, title: 'This worker cannot read videos' },
  video_unreadable: { status: 422, retryable: false, title: 'The video cannot be read' },

  // Warnings: the document is stored or replaced all the same
  duplicate_id: { status: 200, retryable: false, title: 'A later document of the job has the same id' },
  text_incomplete: { status: 200, retryable: false, title: 'Only a part of the submitted text is stored' },
  text_truncated: { status: 200, retryable: false, title: 'The text was truncated to the model’s limit' },

  // Models and engines
  model_unavailable: { status: 503, retryable: true, title: 'The model cannot be loaded now' },
  model_corrupt: { status: 500, retryable: false, title: 'A model file is corrupt' },
  engine_crashed: { status: 500, retryable: true, title: 'The engine process died' },
  engine_timeout: { status: 500, retryable: true, title: 'The engine did not answer in time' },
  engine_failed: { status: 500, retryable: true, title: 'The engine could not run the batch' },
  out_of_memory: { status: 500, retryable: true, title: 'The device ran out of memory' },
  worker_lost: { status: 500, retryable: true, title: 'Workers died repeatedly while processing the shard' },
  no_worker: { status: 503, retryable: true, title: 'No worker answered in time' },

  // Stores and queues
  dimension_mismatch: { status: 422, retryable: false, title: 'The vector has the wrong size' },
  invalid_filter: { status: 422, retryable: false, title: 'The filter cannot be used here' },
  store_rejected: { status: 500, retryable: false, title: 'The vector store refused the request' },
  store_unavailable: { status: 503, retryable: true, title: 'The vector store cannot be reached' },
  store_in_use: { status: 409, retryable: false, title: 'Another process owns the vector store' },
  queue_unavailable: { status: 503, retryable: true, title: 'The queue cannot be reached' },
  queue_full: { status: 503, retryable: true, title: 'The queue has no memory left' },
  queue_may_evict: { status: 503, retryable: false, title: 'The queue’s Redis may evict jobs' },
  spool_unavailable: { status: 503, retryable: true, title: 'The spool cannot be read or written' },

  invalid_config: { status: 500, retryable: false, title: 'A setting is wrong' },
  internal: { status: 500, retryable: true, title: 'An internal error occurred' },
} as const satisfies Record<string, { status: number; retryable: boolean; title: string }>;

export type ErrorCode = keyof typeof ERRORS;
export const errorCodeSchema = z
  .enum(Object.keys(ERRORS) as [ErrorCode, ...ErrorCode[]])
  .meta({ id: 'ErrorCode', description: 'A stable code for programs to act on.' });

/** One fault at one place in the input; `path` is a JSON pointer without its leading slash. */
export interface ErrorDetail {
  path: string;
  message: string;
}

/** An error of the catalogue. `message` says what was wrong, where, and what to do. */
export class EmbedmillError extends Error {
  readonly code: ErrorCode;
  readonly details: ErrorDetail[];
  /** Seconds to wait before a retry is worthwhile, where known. */
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

/** Converts what was thrown to an error of the catalogue: itself if it is one, else `fallback` with the cause kept. */
export function asEmbedmillError(thrown: unknown, fallback: ErrorCode = 'internal'): EmbedmillError {
  if (thrown instanceof EmbedmillError) return thrown;
  const message = thrown instanceof Error ? thrown.message : String(thrown);
  return new EmbedmillError(fallback, message, { cause: thrown });
}
