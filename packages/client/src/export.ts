import type { CallOptions, Connection } from './connection.ts';
import { EmbedmillError } from './error.ts';
import { readOutput } from './output.ts';
import type { Input, Job, Schemas } from './schemas.ts';
import { watchJob } from './watch.ts';

/** Which documents to export, with or without vectors, and the format; by default all documents as NDJSON. */
export type ExportRequest = Input<Schemas['ExportInput']>;

export interface ExportOptions extends CallOptions {
  idempotencyKey?: string | undefined;
  /** Called with the job that writes the file whenever it changes; `jobs.output` returns its file again. */
  onProgress?: (job: Job) => void;
}

/** Starts the job that writes the file. */
export function beginExport(
  server: Connection,
  collection: string,
  request: ExportRequest,
  { idempotencyKey = crypto.randomUUID(), signal }: ExportOptions = {},
): Promise<Job> {
  const params = { path: { name: collection }, header: { 'idempotency-key': idempotencyKey } };
  const body = request as Schemas['ExportInput'];
  return server.read(
    (api, init) => api.POST('/api/v1/collections/{name}/exports', { ...init, params, body }),
    { signal },
  );
}

/** Exports a collection's documents as the bytes of a file. Errors: those of its job. */
export async function* exportOf(
  server: Connection,
  collection: string,
  request: ExportRequest,
  { onProgress = () => {}, ...options }: ExportOptions = {},
): AsyncGenerator<Uint8Array> {
  let job = await beginExport(server, collection, request, options);
  for await (job of watchJob(server, job.id, options)) onProgress(job);
  if (job.state !== 'completed') {
    const { code = 'job_not_finished', message = `the export ${job.id} was ${job.state}` } = job.error ?? {};
    throw new EmbedmillError(code as EmbedmillError['code'], message);
  }
  yield* readOutput(server, job.id, options);
}
