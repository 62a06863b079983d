import type { CallOptions, Connection } from './connection.ts';
import { EmbedmillError } from './error.ts';
import { chunksOf } from './lines.ts';
import { pause } from './pause.ts';

export interface OutputOptions extends CallOptions {
  /** The first byte to return, to resume a partly fetched file. */
  from?: number;
  /** Called for each break after which it resumes. */
  onRetry?: (error: EmbedmillError) => void;
}

/**
 * Streams the bytes of the file that a job wrote. It resumes if the connection breaks, so each byte is returned once, in
 * order. Errors: `job_not_finished`, `range_not_satisfiable` if `from` is beyond the end.
 */
export async function* readOutput(
  server: Connection,
  id: string,
  { from = 0, onRetry = () => {}, signal }: OutputOptions = {},
): AsyncGenerator<Uint8Array> {
  let at = from;
  let failures = 0;
  let etag: string | undefined;
  for (;;) {
    try {
      const part = await rangeOf(server, id, at, etag, { signal });
      etag = part.etag;
      for await (const bytes of part.chunks) {
        at += bytes.length;
        failures = 0;
        yield bytes;
      }
      if (part.end === undefined || at >= part.end) return;
      throw new Error('the connection ended early');
    } catch (thrown) {
      const error = server.lost(thrown, { signal });
      const pauseMs = server.pausesMs[failures];
      failures += 1;
      if (!(error instanceof EmbedmillError) || error.code !== 'unreachable' || pauseMs === undefined)
        throw error;
      onRetry(error);
      await pause(pauseMs, server.signalOf({ signal }));
    }
  }
}

/** The file from a byte on, by one request. `end`: the byte after its last one, if known. */
async function rangeOf(
  server: Connection,
  id: string,
  at: number,
  etag: string | undefined,
  options: CallOptions,
): Promise<{
  chunks: AsyncIterable<Uint8Array> | Uint8Array[];
  end: number | undefined;
  etag: string | undefined;
}> {
  const headers = {
    ...(at > 0 && { range: `bytes=${at}-` }),
    ...(at > 0 && etag !== undefined && { 'if-range': etag }),
  };
  const params = { path: { id } };
  const { data, response } = await server.lasting(
    (api, init) => api.GET('/api/v1/jobs/{id}/output', { ...init, params, headers, parseAs: 'stream' }),
    options,
  );
  if (at > 0 && response.status !== 206) {
    await data?.cancel();
    const message = `the file of job ${id} has changed; start again`;
    throw new EmbedmillError('unexpected_answer', message, { status: response.status });
  }
  const length = response.headers.get('content-length');
  return {
    chunks: data ? chunksOf(data) : [],
    end: length === null ? undefined : at + Number(length),
    etag: response.headers.get('etag') ?? undefined,
  };
}
