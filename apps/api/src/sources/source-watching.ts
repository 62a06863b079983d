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

/** How often due sources are looked for, and how long one check may take. */
const TICK_MS = 10_000;
const LOOK_MS = 10 * 60_000;
/** The lease on a source, which a live process renews at this interval; a dead process holds it until it expires. */
const TURN_SECONDS = 30;
const KEEP_MS = 10_000;
/** How many checks are kept per source, and run concurrently. */
const MOST_RUNS = 20;
const AT_ONCE = 4;

/** Access to all tenants' sources, to find those that are due. */
export type WatchingParts = Pick<ServerParts, 'openUrl' | 'log'> & {
  queue: Pick<ServerParts['queue'], 'takeTurn' | 'keepTurn' | 'endTurn'>;
  spool: Pick<ServerParts['spool'], 'watches' | 'readWatch' | 'keepWatch'>;
  /** Access with the permissions of a source's owner. */
  own: ApiParts;
  keys: KeysByName;
};

/**
 * Checks watched sources when they are due, and submits those that have changed. All API processes on a queue do this.
 * One process holds the lease on a source at a time. A job's id follows from its scheduled time, so a Redis that lost the
 * lease causes no second job. The source and its results are in the spool. If a process dies during a check, the
 * scheduled time stays due, and another process takes over half a minute later. Nothing is kept in memory between ticks.
 *
 * A source is read and submitted with the permissions of whoever added it. It is skipped while its last job is running.
 */
export class SourceWatching {
  readonly #parts: WatchingParts;
  readonly #stop = new AbortController();
  #running: Promise<void> = Promise.resolve();

  constructor(parts: WatchingParts) {
    this.#parts = parts;
  }

  /** Ticks until closed. */
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

  /** Checks all sources that are due. */
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
      // If another process has the lease by now, both create the same job.
      void queue.keepTurn(turn, TURN_SECONDS).catch(() => undefined);
    }, KEEP_MS);
    try {
      // The previous holder of the lease may have done the check for this time.
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
    // If the source was removed meanwhile, it has no runs to update.
    if ((await spool.readWatch('source', key)) === undefined) return;
    const [last, ...others] = before?.runs ?? [];
    // Consecutive checks without changes are recorded once.
    const isSame = run.outcome === 'unchanged' && last?.outcome === 'unchanged';
    const earlier = last === undefined || isSame ? others : [last, ...others];
    const runs = [run, ...earlier].slice(0, MOST_RUNS);
    await spool.keepWatch('runs', key, { time, runs, submitted } satisfies KeptRuns);
  }

  /** Never rejects: an error becomes the run's outcome. */
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
      // An earlier check for this time submitted the source as it was then, and died. Later changes wait for the next time.
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

/** Whether to submit the same files again. Permanent failures would fail again, so only a request by hand repeats them. */
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
