import type { Job, WorkerNote } from '@embedmill/jobs';
import type { QueueDepth, QueueMemory, SettledSlot, Workers } from '@embedmill/queue';
import { problemSeverities, type OverviewProblem, type PartHealth } from './overview-schema.ts';
import { anchorOf, RUNBOOKS, type Runbook } from './runbooks.ts';

/** What problems are detected from. Where an alert has the same name, it uses the same measure. */
export interface Seen {
  now: number;
  paused: boolean;
  backlogDocuments: number;
  depth: Omit<QueueDepth, 'models'>;
  /** Of the last hour; nothing is known from before counting began. */
  slots: readonly SettledSlot[];
  workers: Workers;
  memory: QueueMemory | undefined;
  health: readonly PartHealth[];
  /** The most recent job that failed. */
  failedJob: Pick<Job, 'id' | 'finishedAt' | 'error'> | undefined;
}

const MINUTE_MS = 60_000;
const STUCK_SECONDS = 600;
const FULL_SHARE = 0.8;
const FAILURE_SHARE = 0.05;
/** The share of failures is meaningful only from this many documents. */
const LEAST_SETTLED = 20;
const ENGINE_RESTARTS = 3;

/** The problems, most severe first. Pure: uses neither clock nor queue. */
export function problemsOf(seen: Seen): OverviewProblem[] {
  const found = [
    ...partProblems(seen),
    ...queueProblems(seen),
    ...workerProblems(seen),
    ...documentProblems(seen),
  ];
  const rank = ({ severity }: OverviewProblem): number => problemSeverities.indexOf(severity);
  return found.toSorted((a, b) => rank(a) - rank(b));
}

function problem(runbook: Runbook, severity: OverviewProblem['severity'], detail: string): OverviewProblem {
  return { runbook, anchor: anchorOf(runbook), severity, detail, ...RUNBOOKS[runbook] };
}

function* partProblems({ health, memory }: Seen): Generator<OverviewProblem> {
  for (const { part, ok, detail } of health) {
    if (ok) continue;
    if (part === 'store')
      yield problem('EmbedmillStoreUnavailable', 'critical', detail ?? 'it is unreachable');
    if (part === 'disk') yield problem('The disk is full', 'critical', detail ?? 'it is full');
  }
  if (memory === undefined) return;
  const { usedBytes, limitBytes = Infinity, evicts } = memory;
  if (usedBytes / limitBytes > FULL_SHARE) {
    const share = Math.round((100 * usedBytes) / limitBytes);
    yield problem('EmbedmillRedisMemory', 'critical', `Redis uses ${share} % of its memory`);
  }
  if (evicts) yield problem('EmbedmillRedisEvicts', 'critical', 'maxmemory-policy is not noeviction');
}

function* queueProblems({
  now,
  paused,
  backlogDocuments,
  depth,
  slots,
  workers,
}: Seen): Generator<OverviewProblem> {
  if (paused) return;
  const { waiting, active, oldestSeconds, jobs } = depth;
  if (waiting > 0 && workers.present.length === 0)
    yield problem('EmbedmillQueueStuck', 'critical', `${waiting} shards wait, but there is no worker`);
  else if (waiting > 0 && active === 0 && oldestSeconds > STUCK_SECONDS) {
    const minutes = Math.round(oldestSeconds / 60);
    yield problem('EmbedmillQueueStuck', 'critical', `a shard has waited for ${minutes} minutes`);
  } else if (backlogDocuments > 0 && jobs.active > 0 && !hasMoved(slots, now))
    yield problem(
      'EmbedmillNoProgress',
      'warning',
      `${backlogDocuments} documents are pending, but none was settled for 10 minutes`,
    );
}

/**
 * Whether something was settled in the last ten minutes. Also true if nothing was in the last hour: work may only have
 * begun.
 */
function hasMoved(slots: readonly SettledSlot[], now: number): boolean {
  const settled = slots.filter(({ documents }) => documents > 0);
  return settled.length === 0 || settled.some(({ at }) => now - at < STUCK_SECONDS * 1000);
}

function* workerProblems({ workers: { present, gone } }: Seen): Generator<OverviewProblem> {
  for (const { id, seenAt } of gone)
    yield problem('EmbedmillTargetDown', 'warning', `the worker ${id} has not reported since ${seenAt}`);
  for (const [model, message] of troubles(present))
    yield problem('A model cannot be loaded', 'critical', `${model}: ${message}`);
  for (const { host, pid, engineRestarts } of present)
    if (engineRestarts > ENGINE_RESTARTS)
      yield problem(
        'EmbedmillEngineRestarts',
        'warning',
        `the worker ${host} ${pid} restarted ${engineRestarts} engines`,
      );
}

/** Models that a worker could not load and that no other worker serves. */
function troubles(workers: readonly WorkerNote[]): Map<string, string> {
  const models = workers.flatMap((worker) => worker.models);
  const served = new Set(models.filter(({ state }) => state === 'serving').map(({ model }) => model));
  return new Map(
    models.flatMap(({ model, error }) =>
      error === null || served.has(model) ? [] : [[model, error.message]],
    ),
  );
}

function* documentProblems({ now, slots, failedJob }: Seen): Generator<OverviewProblem> {
  const lately = slots.filter(({ at }) => now - at < 15 * MINUTE_MS);
  const settled = lately.reduce((sum, { documents }) => sum + documents, 0);
  const failed = lately.reduce((sum, slot) => sum + slot.failed, 0);
  if (settled >= LEAST_SETTLED && failed > FAILURE_SHARE * settled)
    yield problem(
      'EmbedmillFailureRatio',
      'warning',
      `${failed} of ${settled} documents failed in the last 15 minutes`,
    );
  const endedAt = Date.parse(failedJob?.finishedAt ?? '');
  if (failedJob !== undefined && now - endedAt < 60 * MINUTE_MS)
    yield problem(
      'EmbedmillJobFailed',
      'warning',
      `job ${failedJob.id}: ${failedJob.error?.message ?? 'it failed'}`,
    );
}
