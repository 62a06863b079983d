import { freemem, totalmem } from 'node:os';
import type { EmbedmillError, JobId } from '@embedmill/jobs';
import { runChecks } from '@embedmill/metrics';
import { SLOT_SECONDS, type QueueMemory, type SettledSlot } from '@embedmill/queue';
import { allows, currentPrincipal } from '../access/principal.ts';
import type { ApiParts } from '../parts.ts';
import type { Overview, PartHealth, Rates } from './overview-schema.ts';
import { problemsOf } from './problems.ts';

/** Full slots over which the current rate is taken, besides the slot in progress. */
const NOW_SLOTS = 3;
/** Read to see whether the spool answers; there is no such job. */
const NO_JOB = 'job_none' as JobId;

/** The overview as the caller may see it: everything for admins, a tenant's own work for its keys. */
export async function overviewOf(parts: ApiParts): Promise<Overview> {
  const { queue } = parts;
  const principal = currentPrincipal();
  const now = Date.now();
  const [slots, paused] = await Promise.all([
    principal.collections === undefined ? queue.settledLately() : undefined,
    queue.isPaused(),
  ]);
  const rates = slots && ratesOf(slots, now);
  const isOperator = allows(principal, 'admin') && principal.collections === undefined;
  const backlog = isOperator ? await wholeBacklog(queue) : await ownBacklog(queue);
  const speed = rates?.tokensPerSecond ?? 0;
  return {
    at: new Date(now).toISOString(),
    tenant: principal.tenant ?? null,
    paused,
    rates: rates ?? null,
    backlog: { ...backlog, seconds: !paused && speed > 0 ? Math.round(backlog.tokens / speed) : null },
    ...(isOperator
      ? await operatorsPart(parts, { now, slots: slots ?? [], paused, backlog })
      : { jobs: null, shards: null, workers: null, health: null, problems: null }),
  };
}

type Work = Omit<Overview['backlog'], 'seconds'>;

async function wholeBacklog(queue: ApiParts['queue']): Promise<Work> {
  const { tokens, documents, models } = await queue.backlog();
  return {
    tokens,
    documents,
    models: models.map((one) => ({ model: one.model, tokens: one.tokens, documents: one.documents })),
  };
}

async function ownBacklog(queue: ApiParts['queue']): Promise<Work> {
  const byModel = new Map<string, { tokens: number; documents: number }>();
  for (const { model, tokens, documents } of await queue.workAhead()) {
    const before = byModel.get(model) ?? { tokens: 0, documents: 0 };
    byModel.set(model, { tokens: before.tokens + tokens, documents: before.documents + documents });
  }
  const models = [...byModel].map(([model, work]) => ({ model, ...work }));
  return {
    tokens: models.reduce((sum, { tokens }) => sum + tokens, 0),
    documents: models.reduce((sum, { documents }) => sum + documents, 0),
    models,
  };
}

/** The current rates, and those of the last hour. */
export function ratesOf(slots: readonly SettledSlot[], now: number): Rates {
  const hour = { documents: 0, failed: 0, tokens: 0 };
  for (const { documents, failed, tokens } of slots) {
    hour.documents += documents;
    hour.failed += failed;
    hour.tokens += tokens;
  }
  const lately = slots.slice(-NOW_SLOTS - 1);
  const seconds = Math.max(1, (now - (lately[0]?.at ?? now)) / 1000);
  const perSecond = (unit: 'documents' | 'tokens'): number =>
    Math.round((10 * lately.reduce((sum, slot) => sum + slot[unit], 0)) / seconds) / 10;
  return {
    documentsPerSecond: perSecond('documents'),
    tokensPerSecond: perSecond('tokens'),
    hour,
    slotSeconds: SLOT_SECONDS,
    slots: [...slots],
  };
}

async function operatorsPart(
  parts: ApiParts,
  {
    now,
    slots,
    paused,
    backlog,
  }: { now: number; slots: readonly SettledSlot[]; paused: boolean; backlog: Work },
): Promise<Pick<Overview, 'jobs' | 'shards' | 'workers' | 'health' | 'problems'>> {
  const { queue } = parts;
  const [depth, workers, memory, failed] = await Promise.all([
    queue.depth(),
    queue.workers(),
    queue.memory(),
    queue.listJobs({ state: 'failed', limit: 1 }),
  ]);
  const health = await healthOf(parts, memory);
  const problems = problemsOf({
    now,
    paused,
    backlogDocuments: backlog.documents,
    depth,
    slots,
    workers,
    memory,
    health,
    failedJob: failed.jobs[0],
  });
  const { waiting, active, oldestSeconds, jobs } = depth;
  return { jobs, shards: { waiting, active, oldestSeconds }, workers: workers.present, health, problems };
}

async function healthOf(
  { queue, store, spool, disk }: ApiParts,
  memory: QueueMemory | undefined,
): Promise<PartHealth[]> {
  const lack = await disk?.lack().catch((error: EmbedmillError) => error.message);
  const space = await disk?.space().catch(() => undefined);
  const { parts } = await runChecks({
    queue: () => queue.ping(),
    store: () => store.ping(),
    spool: async () => void (await spool.readRecord(NO_JOB, 'finished')),
  });
  const total = Math.min(process.constrainedMemory() || Infinity, totalmem());
  const isLimited = total < totalmem();
  return [
    {
      part: 'queue',
      ok: parts['queue']?.ok === true,
      detail: parts['queue']?.detail ?? null,
      usedBytes: memory?.usedBytes ?? null,
      totalBytes: memory?.limitBytes ?? null,
    },
    {
      part: 'store',
      ok: parts['store']?.ok === true,
      detail: parts['store']?.detail ?? store.description,
      usedBytes: null,
      totalBytes: null,
    },
    {
      part: 'spool',
      ok: parts['spool']?.ok === true,
      detail: parts['spool']?.detail ?? null,
      usedBytes: null,
      totalBytes: null,
    },
    {
      part: 'disk',
      ok: lack === undefined,
      detail: lack ?? null,
      usedBytes: space === undefined ? null : space.total - space.free,
      totalBytes: space?.total ?? null,
    },
    {
      part: 'memory',
      ok: true,
      detail: isLimited ? 'of this process, and its limit' : 'of this machine',
      usedBytes: isLimited ? process.memoryUsage.rss() : totalmem() - freemem(),
      totalBytes: total,
    },
  ];
}
