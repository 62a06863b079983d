import { EmbedmillError, type JobId } from '@embedmill/jobs';
import type { Received, Spool } from './spool.ts';

export interface UrlLimits {
  maxBytes: number;
  /** Seconds without a byte after which the transfer is given up. */
  idleSeconds: number;
}

/**
 * Copies what an http(s) URL serves to the job's spool, so that its byte ranges stay as they are while the
 * job runs. Errors: `source_unreadable` (not found, not reachable, broke off), `payload_too_large`.
 */
export async function fetchSource(
  spool: Spool,
  job: JobId,
  url: string,
  limits: UrlLimits,
  signal?: AbortSignal,
): Promise<Received> {
  const idle = new AbortController();
  let timer: NodeJS.Timeout | undefined;
  const alive = (): void => {
    clearTimeout(timer);
    timer = setTimeout(
      () => idle.abort(new Error(`no byte for ${limits.idleSeconds} s`)),
      limits.idleSeconds * 1000,
    );
  };
  const unreadable = (why: string, cause?: unknown) =>
    new EmbedmillError('source_unreadable', `cannot read ${redacted(url)}: ${why}`, { cause });
  alive();
  try {
    const response = await fetch(url, {
      signal: signal === undefined ? idle.signal : AbortSignal.any([idle.signal, signal]),
    }).catch((error: unknown) => {
      throw unreadable(reasonOf(error), error);
    });
    const { body } = response;
    if (!response.ok || body === null)
      throw unreadable(`it answers ${response.status} ${response.statusText}`);
    async function* watched(stream: ReadableStream<Uint8Array>): AsyncGenerator<Uint8Array> {
      for await (const chunk of stream) {
        alive();
        yield chunk;
      }
    }
    const encoded = response.headers.has('content-encoding');
    const length = response.headers.get('content-length');
    const expectedBytes = encoded || length === null ? undefined : Number(length);
    return await spool
      .receive(job, watched(body), { maxBytes: limits.maxBytes, expectedBytes })
      .catch((error: unknown) => {
        if (error instanceof EmbedmillError && error.code === 'upload_incomplete') {
          throw unreadable(`the transfer broke off (${reasonOf(error.cause ?? error)})`, error);
        }
        throw error;
      });
  } finally {
    clearTimeout(timer);
  }
}

/** A URL without what may be secret in it. */
export function redacted(url: string): string {
  const parsed = URL.parse(url);
  return parsed === null ? 'the URL' : `${parsed.origin}${parsed.pathname}`;
}

function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  return error.cause instanceof Error ? error.cause.message : error.message;
}
