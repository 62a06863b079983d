import { isDeepStrictEqual } from 'node:util';
import { isFinished, type Job, type JobId } from '@embedmill/jobs';

/** `end` is the last event: with the finished job, or without one if the job was removed or the server stops. */
export type JobEvent = { kind: 'progress'; job: Job } | { kind: 'end'; job: Job | undefined };

type Listener = (event: JobEvent) => void;

interface Watched {
  readonly listeners: Set<Listener>;
  latest: Job | undefined;
  timer: NodeJS.Timeout | undefined;
}

/**
 * Tells listeners about the progress of jobs. A job is looked up once an interval, however many listeners it has, and
 * not at all without listeners. A listener first gets the current state, then each change, then `end` once. After
 * `end`, or after it stops listening, it gets nothing.
 */
export class JobWatch {
  readonly #getJob: (id: JobId) => Promise<Job | undefined>;
  readonly #intervalMs: number;
  readonly #watched = new Map<JobId, Watched>();

  constructor(getJob: (id: JobId) => Promise<Job | undefined>, intervalMs = 250) {
    this.#getJob = getJob;
    this.#intervalMs = intervalMs;
  }

  /** The number of jobs that are being looked up. */
  get size(): number {
    return this.#watched.size;
  }

  /** Returns the function that stops listening. */
  listen(id: JobId, listener: Listener): () => void {
    const watched = this.#watched.get(id) ?? this.#start(id);
    watched.listeners.add(listener);
    if (watched.latest !== undefined) listener({ kind: 'progress', job: watched.latest });
    return () => {
      watched.listeners.delete(listener);
      if (watched.listeners.size === 0) this.#stop(id, watched);
    };
  }

  /** Ends all listeners. */
  close(): void {
    for (const [id, watched] of this.#watched) this.#end(id, watched, undefined);
  }

  #start(id: JobId): Watched {
    const watched: Watched = { listeners: new Set(), latest: undefined, timer: undefined };
    this.#watched.set(id, watched);
    const look = async (): Promise<void> => {
      const found = await this.#getJob(id).then(
        (job) => ({ job }),
        () => undefined,
      );
      if (this.#watched.get(id) !== watched) return;
      if (found !== undefined) this.#tell(id, watched, found.job);
      if (this.#watched.get(id) === watched) watched.timer = setTimeout(() => void look(), this.#intervalMs);
    };
    void look();
    return watched;
  }

  #tell(id: JobId, watched: Watched, job: Job | undefined): void {
    if (job !== undefined && !isSame(job, watched.latest)) {
      watched.latest = job;
      for (const listener of watched.listeners) listener({ kind: 'progress', job });
    }
    if (job === undefined || isFinished(job.state)) this.#end(id, watched, job);
  }

  #end(id: JobId, watched: Watched, job: Job | undefined): void {
    this.#stop(id, watched);
    const listeners = [...watched.listeners];
    watched.listeners.clear();
    for (const listener of listeners) listener({ kind: 'end', job });
  }

  #stop(id: JobId, watched: Watched): void {
    clearTimeout(watched.timer);
    if (this.#watched.get(id) === watched) this.#watched.delete(id);
  }
}

/** Whether only the time changed. */
function isSame(job: Job, before: Job | undefined): boolean {
  return before !== undefined && isDeepStrictEqual({ ...job, seconds: 0 }, { ...before, seconds: 0 });
}
