import { setTimeout as sleep } from 'node:timers/promises';
import { isFinished, jobSchema, type Job } from '@embedmill/jobs';
import type { Client } from './client.ts';
import { Unreachable } from './server-error.ts';

export interface FollowOptions {
  /** How long the server may stay away, when it is restarted for instance. */
  patienceMs: number;
  /** Between two looks at the job where events do not get through. */
  pollMs: number;
  /** The server sends a comment more often than this when nothing happens. */
  silenceMs: number;
}

const USUAL: FollowOptions = { patienceMs: 60_000, pollMs: 1000, silenceMs: 45_000 };

/**
 * A job from now until it has finished, whenever it changed. By events; when they break off, or do not get
 * through at all, by asking, while trying events again.
 */
export async function* followJob(
  client: Client,
  id: string,
  signal: AbortSignal,
  options: Partial<FollowOptions> = {},
): AsyncGenerator<Job> {
  const { patienceMs, pollMs, silenceMs } = { ...USUAL, ...options };
  let lastSeen = performance.now();
  for (;;) {
    try {
      for await (const { data } of client.events(id, silenceMs)) {
        const job = jobSchema.loose().safeParse(parseJson(data)).data;
        if (job === undefined) continue;
        lastSeen = performance.now();
        yield job;
        if (isFinished(job.state)) return;
      }
      const job = await client.job(id);
      lastSeen = performance.now();
      yield job;
      if (isFinished(job.state)) return;
    } catch (error) {
      if (!(error instanceof Unreachable) || performance.now() - lastSeen > patienceMs) throw error;
    }
    await sleep(pollMs, undefined, { signal });
  }
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
