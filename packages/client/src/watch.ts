import type { Connection, EventOptions } from './connection.ts';
import { EmbedmillError } from './error.ts';
import { pause } from './pause.ts';
import { isFinished, type Job } from './schemas.ts';

export interface WatchOptions extends EventOptions {
  /** How long the server may be unavailable, for example during a restart, in milliseconds. */
  patienceMs?: number;
  /** The polling interval if events do not get through, in milliseconds. */
  pollMs?: number;
}

const PATIENCE_MS = 60_000;
const POLL_MS = 1000;

/**
 * Yields a job whenever it changes until it has finished; the last one is the finished job. Uses events; if they break off or
 * do not get through, it polls while retrying events. An event carries the whole job, so none is missed.
 */
export async function* watchJob(
  server: Connection,
  id: string,
  { patienceMs = PATIENCE_MS, pollMs = POLL_MS, silenceMs, signal }: WatchOptions = {},
): AsyncGenerator<Job> {
  const params = { path: { id } };
  let lastSeen = performance.now();
  for (;;) {
    try {
      for await (const job of jobEvents(server, id, { silenceMs, signal })) {
        lastSeen = performance.now();
        yield job;
        if (isFinished(job.state)) return;
      }
      const job = await server.ask((api, init) => api.GET('/api/v1/jobs/{id}', { ...init, params }), {
        signal,
      });
      lastSeen = performance.now();
      yield job;
      if (isFinished(job.state)) return;
    } catch (error) {
      if (!isAway(error) || performance.now() - lastSeen > patienceMs) throw error;
    }
    await pause(pollMs, server.signalOf({ signal }));
  }
}

/** Nothing responds, or a proxy reports that. */
function isAway(error: unknown): boolean {
  return error instanceof EmbedmillError && (error.code === 'unreachable' || error.retryable);
}

/** The job's events until the stream ends or stops sending. */
async function* jobEvents(server: Connection, id: string, options: EventOptions): AsyncGenerator<Job> {
  const params = { path: { id } };
  const events = server.events(
    (api, init) => api.GET('/api/v1/jobs/{id}/events', { ...init, params, parseAs: 'stream' }),
    options,
  );
  for await (const { data } of events) {
    const job = jobIn(data);
    if (job !== undefined) yield job;
  }
}

function jobIn(data: string): Job | undefined {
  try {
    const value = JSON.parse(data) as Partial<Job> | null;
    return value?.state === undefined ? undefined : (value as Job);
  } catch {
    return undefined;
  }
}
