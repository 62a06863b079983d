import { setTimeout } from 'node:timers/promises';
import type { z } from 'zod';
import {
  asEmbedmillError,
  EmbedmillError,
  ERRORS,
  isFinished,
  parseKept,
  type ErrorCode,
  type Job,
  type JobId,
  type SourceRun,
} from '@embedmill/jobs';
import { jobIdOfKey } from '@embedmill/queue';
import { acceptJob } from '../ingest/accepted-job.ts';
import { runAs } from '../access/principal.ts';
import { requireCollection } from '../collections/collection.ts';
import type { ApiParts, ServerParts } from '../parts.ts';
import { labelOf, readAs, sourceOfFiles } from './source-files.ts';
import { changesOf, lookAt } from './source-look.ts';
import { readable } from './source-places.ts';
import {
  dueTime,
  keptMarksSchema,
  keptRunsSchema,
  keptSourceSchema,
  principalOf,
  type KeptRuns,
  type KeptSource,
  type KeysByName,
} from './watched-source.ts';

/** How often it is seen whether a source is due, and how long a look may take. */
const TICK_MS = 10_000;
const LOOK_MS = 10 * 60_000;
/** A source is so long in the hands of a process that has died; one that lives says so at this interval. */
const TURN_SECONDS = 30;
const KEEP_MS = 10_000;
/** How many looks are shown of a source, and done at the same time. */
const MOST_RUNS = 20;
const AT_ONCE = 4;

/** What the watching sees of all tenants' sources, to find those that are due. */
export type WatchingParts = Pick<ServerParts, 'openUrl' | 'log'> & {
  queue: Pick<ServerParts['queue'], 'takeTurn' | 'keepTurn' | 'endTurn'>;
  spool: Pick<ServerParts['spool'], 'watches' | 'readWatch' | 'keepWatch'>;
  /** As whoever a source belongs to may use them. */
  own: ApiParts;
  keys: KeysByName;
};

/**
 * Looks at watched sources as they are due, and submits those that have changed. All API processes on a queue do it: a
 * source is one process's at a time, and a job's id follows from the time that it was looked for, so that a Redis that
 * forgets whose turn it was makes no second job. What a source is and what came of it is in the spool; a process that
 * dies in a look leaves the time as it was, for another one half a minute later. Nothing is held in memory between ticks.
 *
 * A source is read and submitted as whoever added it. While its last job has not ended it is left alone.
 */
export class SourceWatching {
  readonly #parts: WatchingParts;
  readonly #stop = new AbortController();
  #running: Promise<void> = Promise.resolve();

  constructor(parts: WatchingParts) {
    this.#parts = parts;
  }

  /** Ticks until it is closed. */
  start(tickMs = TICK_MS): void {
    this.#running = (async () => {
      while (!this.#stop.signal.aborted) {
        await this.tick().catch((error: unknown) =>
          this.#parts.log.warn({ err: error }, 'cannot check watched sources; retrying'),
        );
        await setTimeout(tickMs, undefined, { signal: this.#stop.signal }).catch(() => undefined);
      }
    })();
  }

  async close(): Promise<void> {
    this.#stop.abort(new Error('the API is stopping'));
    await this.#running;
  }

  /** Looks at all sources that are due. */
  async tick(now = Date.now()): Promise<void> {
    const keys = (await this.#parts.spool.watches()).values();
    const next = async (): Promise<void> => {
      for (const key of keys) {
        if (this.#stop.signal.aborted) return;
        await this.#lookIfDue(key, now).catch((error: unknown) =>
          this.#parts.log.warn({ err: error, source: key }, 'cannot check a watched source now'),
        );
      }
    };
    await Promise.all(Array.from({ length: AT_ONCE }, next));
  }

  async #lookIfDue(key: string, now: number): Promise<void> {
    const { spool, queue } = this.#parts;
    const isDue = async () => {
      const kept = await read(spool, 'source', key, keptSourceSchema);
      const before = await read(spool, 'runs', key, keptRunsSchema);
      const time = kept && dueTime(kept, before, now);
      return kept === undefined || time === undefined ? undefined : { kept, before, time };
    };
    if ((await isDue()) === undefined) return;
    const turn = `watch ${key}`;
    if (!(await queue.takeTurn(turn, TURN_SECONDS))) return;
    const keeping = setInterval(() => {
      // Should it be another's by now, both come to the same job.
      void queue.keepTurn(turn, TURN_SECONDS).catch(() => undefined);
    }, KEEP_MS);
    try {
      // Whoever had the turn before may have looked for this time.
      const due = await isDue();
      if (due !== undefined) await this.#look(key, due);
    } finally {
      clearInterval(keeping);
      await queue.endTurn(turn);
    }
  }

  async #look(
    key: string,
    { kept, before, time }: { kept: KeptSource; before: KeptRuns | undefined; time: number },
  ): Promise<void> {
    const { spool, log } = this.#parts;
    const { name: source, collection } = kept;
    const { run, submitted } = await this.#run(key, kept, before, time);
    if (this.#stop.signal.aborted && run.outcome === 'failed') return;
    log.info({ source, collection, outcome: run.outcome, job: run.job }, 'checked a watched source');
    // Removed meanwhile, it has no runs any more.
    if ((await spool.readWatch('source', key)) === undefined) return;
    const [last, ...others] = before?.runs ?? [];
    // That nothing changed, again and again, is said once.
    const isSame = run.outcome === 'unchanged' && last?.outcome === 'unchanged';
    const earlier = last === undefined || isSame ? others : [last, ...others];
    const runs = [run, ...earlier].slice(0, MOST_RUNS);
    await spool.keepWatch('runs', key, { time, runs, submitted } satisfies KeptRuns);
  }

  /** Never rejects: what went wrong is what is told of the run. */
  async #run(
    key: string,
    kept: KeptSource,
    before: KeptRuns | undefined,
    time: number,
  ): Promise<{ run: SourceRun; submitted: KeptRuns['submitted'] }> {
    const at = new Date().toISOString();
    const run: SourceRun = {
      at,
      outcome: 'unchanged',
      job: null,
      files: 0,
      added: 0,
      changed: 0,
      removed: 0,
      error: null,
    };
    const { submitted } = before ?? {};
    try {
      const principal = principalOf(kept, this.#parts.keys);
      return await runAs(principal, () => this.#lookAs(key, kept, submitted, time, run), kept.collection);
    } catch (thrown) {
      const { code, message } = asEmbedmillError(thrown);
      return { run: { ...run, outcome: 'failed', error: { code, message } }, submitted };
    }
  }

  async #lookAs(
    key: string,
    { source, name, collection: named, tenant, askedAt }: KeptSource,
    submitted: KeptRuns['submitted'],
    time: number,
    run: SourceRun,
  ): Promise<{ run: SourceRun; submitted: KeptRuns['submitted'] }> {
    const { own, openUrl, spool } = this.#parts;
    const collection = await requireCollection(own.store, named);
    const last = submitted && (await own.queue.getJob(submitted.job as JobId));
    if (last !== undefined && !isFinished(last.state))
      return { run: { ...run, outcome: 'waiting' }, submitted };
    const signal = AbortSignal.any([this.#stop.signal, AbortSignal.timeout(LOOK_MS)]);
    const look = await lookAt(source, readable(own), {
      open: openUrl,
      maxBytes: own.config.maxUploadBytes,
      signal,
    });
    signal.throwIfAborted();
    const files = look.files.length;
    const isSettled = last === undefined || !isWorthRepeating(last, time === askedAt);
    if (submitted?.fingerprint === look.fingerprint && isSettled)
      return { run: { ...run, files }, submitted };
    const marks = (await read(spool, 'marks', key, keptMarksSchema)) ?? {};
    const changes = changesOf(new Map(Object.entries(marks)), look.marks);
    const { format, columns, metadata, delimiter, encoding, listSeparator } = source;
    const { mode, maxDeleted, priority, maxFailures } = source;
    const said = { format, columns, metadata, delimiter, encoding, listSeparator };
    const id = jobIdOfKey(collection, `watch ${name} ${time}`, tenant);
    const submit = acceptJob(
      'watch',
      {
        id,
        purpose: 'ingest',
        collection,
        source: await sourceOfFiles(own.spool, id, readAs(look.files, said)),
        label: labelOf(source.files, files),
        digest: `watch:${look.fingerprint}`,
        retryOf: null,
        mode,
        sourceName: name,
        maxDeleted: mode === 'snapshot' ? maxDeleted : undefined,
        priority,
        maxFailures,
      },
      own,
    );
    const accepted = await submit.catch((thrown: unknown) => {
      if (!(thrown instanceof EmbedmillError) || thrown.code !== 'idempotency_conflict') throw thrown;
    });
    if (accepted === undefined) {
      // Whoever looked for this time before submitted the source as it was then, and died: what has changed since is for the next time.
      const ahead = { job: id, fingerprint: '' };
      return { run: { ...run, outcome: 'submitted', job: id, files }, submitted: ahead };
    }
    const { job } = accepted;
    await spool.keepWatch('marks', key, Object.fromEntries(look.marks));
    return {
      run: { ...run, outcome: 'submitted', job: job.id, files, ...changes },
      submitted: { job: job.id, fingerprint: look.fingerprint },
    };
  }
}

/** Whether the same files are submitted again: what failed by itself would fail again, unless somebody asks for it. */
function isWorthRepeating({ state, error }: Job, isAsked: boolean): boolean {
  const mayPass = error === null || !(error.code in ERRORS) || ERRORS[error.code as ErrorCode].retryable;
  return state !== 'completed' && (isAsked || mayPass);
}

async function read<Schema extends z.ZodType>(
  spool: WatchingParts['spool'],
  kind: 'source' | 'runs' | 'marks',
  key: string,
  schema: Schema,
): Promise<z.output<Schema> | undefined> {
  const value = await spool.readWatch(kind, key);
  return value === undefined ? undefined : parseKept(schema, value);
}
