import { Body, isRepeatable, type Documents } from './body.ts';
import type { CallOptions, Connection } from './connection.ts';
import { EmbedmillError } from './error.ts';
import { pause } from './pause.ts';
import type { FileTarget, Job, JobOptions, ServerSource, Webhook } from './schemas.ts';

/** Where a job's vectors go: to the collection of this name, or to a file. */
export type JobTarget = string | FileTarget;

export interface SubmitOptions extends CallOptions, JobOptions {
  /** How the documents are to be read, where they are none of NDJSON with embedmill's own names. */
  reading?: Omit<ServerSource, 'path' | 'url' | 's3' | 'files'> | undefined;
  /** The media type of bytes, where they do not say it themselves; NDJSON by default. */
  type?: string | undefined;
  /** Whether the bytes are packed with gzip. */
  gzip?: boolean | undefined;
  /** The same key with the same documents gives the same job; one is made by default. */
  idempotencyKey?: string | undefined;
  /** Told how many bytes were sent so far. */
  onSent?: ((bytes: number) => void) | undefined;
  /** Told of each failure after which it is tried again. */
  onRetry?: ((error: EmbedmillError) => void) | undefined;
}

const NDJSON = 'application/x-ndjson';

/**
 * Submits documents as one job, as they come: the next is asked for when the connection has room. Where the connection
 * breaks, what can be opened again is sent again under the same key, so that there is one job whatever the server had got.
 * Errors: those of the catalogue; what the documents themselves throw.
 */
export async function submitDocuments(
  server: Connection,
  target: JobTarget,
  documents: Documents,
  { idempotencyKey = crypto.randomUUID(), onRetry, ...options }: SubmitOptions = {},
): Promise<Job> {
  for (const pauseMs of isRepeatable(documents) ? server.pausesMs : []) {
    try {
      return await send(server, target, documents, { ...options, idempotencyKey });
    } catch (error) {
      if (!(error instanceof EmbedmillError && error.retryable)) throw error;
      onRetry?.(error);
      const waitMs = error.retryAfter === undefined ? pauseMs : error.retryAfter * 1000;
      await pause(waitMs, server.signalOf(options));
    }
  }
  return send(server, target, documents, { ...options, idempotencyKey });
}

/** Submits what the server reads itself. */
export function submitSource(
  server: Connection,
  target: JobTarget,
  source: ServerSource,
  {
    signal,
    idempotencyKey = crypto.randomUUID(),
    ...options
  }: CallOptions & JobOptions & { idempotencyKey?: string } = {},
): Promise<Job> {
  const header = { 'idempotency-key': idempotencyKey };
  if (typeof target === 'string') {
    const params = { path: { name: target }, header };
    const body = { source, ...options } as never;
    return server.read(
      (api, init) => api.POST('/api/v1/collections/{name}/jobs', { ...init, params, body }),
      { signal },
    );
  }
  const body = { source, ...options, ...target } as never;
  return server.read((api, init) => api.POST('/api/v1/jobs', { ...init, params: { header }, body }), {
    signal,
  });
}

async function send(
  server: Connection,
  target: JobTarget,
  documents: Documents,
  options: SubmitOptions & { idempotencyKey: string },
): Promise<Job> {
  const { idempotencyKey, gzip, onSent, reading = {}, webhook, signal } = options;
  const type = options.type ?? ('type' in documents && documents.type !== '' ? documents.type : undefined);
  const sending = new Body(documents, onSent ?? (() => {}));
  const stream = sending.stream();
  const request = {
    headers: {
      'content-type': type ?? NDJSON,
      'idempotency-key': idempotencyKey,
      ...(gzip === true && { 'content-encoding': 'gzip' }),
      ...headersOf(webhook),
    },
    // A browser sends no body that is still being made, over HTTP/1.1; it keeps a large one on disk.
    body: (isBrowser() ? await new Response(stream).blob() : stream) as never,
    bodySerializer: <T>(body: T) => body,
    duplex: 'half' as const,
  };
  const { priority, maxFailures, mode, sourceName, maxDeleted, dryRun } = options;
  const said = { ...reading, priority, maxFailures, mode, sourceName, maxDeleted, dryRun };
  try {
    const { data } = await server.lasting(
      (api, init) =>
        typeof target === 'string'
          ? api.POST('/api/v1/collections/{name}/jobs', {
              ...init,
              ...request,
              params: { path: { name: target }, query: queryOf(said) as never },
            })
          : api.POST('/api/v1/jobs', {
              ...init,
              ...request,
              params: {
                query: queryOf({
                  ...said,
                  output: target.output.format,
                  to: target.output.to,
                  profile: target.profile,
                }) as never,
              },
            }),
      { signal },
    );
    return data;
  } catch (error) {
    // What the documents failed with says more than the request that broke because of it.
    if (sending.failure !== undefined) throw sending.failure.error;
    throw error;
  } finally {
    sending.close();
  }
}

/** As an upload's address says it: lists with commas, objects as JSON. */
function queryOf(said: Record<string, unknown>): Record<string, string> {
  const query: Record<string, string> = {};
  for (const [name, value] of Object.entries(said)) {
    if (value === undefined) continue;
    if (Array.isArray(value)) query[name] = value.join(',');
    else query[name] = typeof value === 'string' ? value : JSON.stringify(value);
  }
  return query;
}

function headersOf(webhook: Webhook | undefined): Record<string, string> {
  if (webhook === undefined) return {};
  const { url, secret, failures } = webhook;
  return {
    'embedmill-webhook-url': url,
    'embedmill-webhook-secret': secret,
    ...(failures !== undefined && { 'embedmill-webhook-failures': String(failures) }),
  };
}

function isBrowser(): boolean {
  return globalThis.navigator?.userAgent?.startsWith('Mozilla/') === true;
}
