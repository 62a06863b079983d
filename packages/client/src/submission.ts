import { Body, isRepeatable, isSliceable, type Documents } from './body.ts';
import type { Connection } from './connection.ts';
import { EmbedmillError } from './error.ts';
import { submitInParts } from './file-submission.ts';
import { pause } from './pause.ts';
import type { Job, Webhook } from './schemas.ts';
import type { JobTarget } from './source-submission.ts';
import type { SubmitOptions } from './submit-options.ts';
import { PART_BYTES } from './uploads.ts';

const NDJSON = 'application/x-ndjson';

/**
 * Submits documents as one job, streamed: each is requested when the connection has room. If the connection breaks, a file of
 * more than `partBytes` is resumed, and other reopenable sources are sent again under the same key, so that there is one
 * job whatever the server had received. Errors: those of the catalogue, and those of the documents' source.
 */
export async function submitDocuments(
  server: Connection,
  target: JobTarget,
  documents: Documents,
  { idempotencyKey = crypto.randomUUID(), ...options }: SubmitOptions = {},
): Promise<Job> {
  const type = options.type ?? ('type' in documents && documents.type !== '' ? documents.type : undefined);
  const said = { ...options, idempotencyKey, type: type ?? NDJSON };
  if (isSliceable(documents) && documents.size > (options.partBytes ?? PART_BYTES)) {
    const job = await submitInParts(server, target, documents, said);
    if (job !== undefined) return job;
  }
  for (const pauseMs of isRepeatable(documents) ? server.pausesMs : []) {
    try {
      return await send(server, target, documents, said);
    } catch (error) {
      if (!(error instanceof EmbedmillError && error.retryable)) throw error;
      options.onRetry?.(error);
      const waitMs = error.retryAfter === undefined ? pauseMs : error.retryAfter * 1000;
      await pause(waitMs, server.signalOf(options));
    }
  }
  return send(server, target, documents, said);
}

async function send(
  server: Connection,
  target: JobTarget,
  documents: Documents,
  options: SubmitOptions & { idempotencyKey: string; type: string },
): Promise<Job> {
  const { idempotencyKey, type, gzip, onSent, reading = {}, webhook, signal } = options;
  const body = new Body(documents, onSent);
  const request = {
    headers: {
      'content-type': type,
      'idempotency-key': idempotencyKey,
      ...(gzip === true && { 'content-encoding': 'gzip' }),
      ...headersOf(webhook),
    },
    ...(await body.request()),
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
    throw body.reasonOf(error);
  } finally {
    body.close();
  }
}

/** As in an upload's URL: lists with commas, objects as JSON. */
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
