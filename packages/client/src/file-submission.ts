import type { Sliceable } from './body.ts';
import type { CallOptions, Connection } from './connection.ts';
import { EmbedmillError } from './error.ts';
import type { Job } from './schemas.ts';
import { sourceCall, type JobTarget } from './source-submission.ts';
import type { SubmitOptions } from './submit-options.ts';
import { patiently, Upload } from './uploads.ts';

/** The parameters that set a file's format, for generic media types. */
const EXTENSIONS: Readonly<Record<string, string>> = {
  'application/x-ndjson': 'ndjson',
  'application/ndjson': 'ndjson',
  'application/jsonl': 'ndjson',
  'text/csv': 'csv',
  'text/tab-separated-values': 'tsv',
  'application/vnd.apache.parquet': 'parquet',
  'application/x-parquet': 'parquet',
};

/**
 * Submits a file in parts as one job; undefined if this is not possible for this type, this key or this server. Only the job
 * remains on the server. Errors: those of a submission.
 */
export async function submitInParts(
  server: Connection,
  target: JobTarget,
  file: Sliceable,
  { type, gzip, reading, idempotencyKey, ...options }: SubmitOptions & { type: string },
): Promise<Job | undefined> {
  const extension = EXTENSIONS[type];
  if (extension === undefined) return undefined;
  const { signal, onSent, onRetry, partBytes, patienceMs, ...said } = options;
  const uploading = { signal, onSent, onRetry, partBytes, patienceMs };
  // A missing collection is reported before the file is sent.
  if (typeof target === 'string') await requireCollection(server, target, { signal });
  const filename = `documents.${extension}${gzip === true ? '.gz' : ''}`;
  const upload = await Upload.begin(server, file, filename, uploading).catch((error: unknown) => {
    if (error instanceof EmbedmillError && (error.code === 'forbidden' || error.status === 404)) return;
    throw error;
  });
  if (upload === undefined) return undefined;
  const id = await upload.send();
  const call = sourceCall(target, { file: id, ...reading }, { ...said, idempotencyKey });
  try {
    // The server copies the file, without a time limit.
    return await patiently(server, async () => (await server.lasting(call, { signal })).data, uploading);
  } finally {
    // If this fails, the server removes it after a day.
    const params = { path: { id } };
    await server
      .ask((api, init) => api.DELETE('/v1/files/{id}', { ...init, params }), { signal })
      .catch(() => undefined);
  }
}

async function requireCollection(server: Connection, name: string, options: CallOptions): Promise<void> {
  const params = { path: { name } };
  await server.read((api, init) => api.GET('/api/v1/collections/{name}', { ...init, params }), options);
}
