import { bytes, compact, grouped, table } from '../terminal/text.ts';
import { BUSY, MOST_SHARDS, type Plan, type PlanRequest } from './plan.ts';
import type { Outcome } from './cluster.ts';

/** Where a worker's rate comes from. */
export type RateSource = { by: 'you' } | { by: 'measurement'; tokensPerChunk: number; where: string };

/** The plan as a table for people: each figure with its explanation. */
export function planLines(request: PlanRequest, plan: Plan, rate: RateSource): string[] {
  const { shards, redis, store, scanHours } = plan;
  const jobs = request.jobs === 1 ? 'one job' : `${grouped(request.jobs)} jobs`;
  const rows: [what: string, much: string, from: string][] = [
    [
      'documents',
      grouped(request.documents),
      `${compact(request.tokensPerDocument)} tokens each, as ${jobs}`,
    ],
    ['chunks', grouped(plan.chunks), `of at most ${request.chunkTokens} tokens; each chunk is a point`],
    ['tokens', large(plan.tokens), 'run through the model, including overlap'],
    ['rate per worker', `${compact(request.tokensPerSecond)}/s`, rateText(rate)],
    [
      'workers',
      grouped(plan.workers),
      'workers' in request.size ? 'as requested' : `to end within ${duration(request.size.hours)}`,
    ],
    [
      'time',
      duration(plan.hours),
      `the scan of ${request.jobs === 1 ? 'the' : 'each'} job takes ${duration(scanHours)} of it, beside its first shards`,
    ],
    [
      'shards',
      grouped(shards.count),
      `${grouped(shards.documents)} documents, ${bytes(shards.bytes)}, ${shards.seconds.toPrecision(2)} s each`,
    ],
    [
      'on the queue',
      grouped(redis.outstandingShards),
      `shards at most, ${compact(shards.perSecond)} per second`,
    ],
    ['Redis', bytes(redis.bytes), `${percent(redis.busy)} of its thread`],
    ['API replicas', grouped(plan.replicas), 'each scans and dispatches some of the jobs'],
    ['spool', bytes(plan.spoolBytes), 'for uploads and manifests'],
    [
      'Qdrant',
      bytes(store.qdrant.diskBytes),
      `on disk, ${bytes(store.qdrant.memoryBytes)} in memory (${request.storage}), per replica`,
    ],
    ['or zvec', bytes(store.zvec.diskBytes), `on disk, ${percent(store.zvec.busy)} of its thread`],
    ['writes', `${compact(store.pointsPerSecond)}/s`, 'points that the store must accept'],
  ];
  return table(
    rows.map((row) => [...row]),
    [1],
  );
}

/** What will not work, and what to do about it. */
export function planWarnings(plan: Plan): string[] {
  const { redis, store, scanHours, hours } = plan;
  const warnings: string[] = [];
  if (redis.busy > BUSY)
    warnings.push(
      `one Redis cannot hand out ${compact(plan.shards.perSecond)} shards per second; run several clusters, each with its own`,
    );
  if (plan.dispatchBusy > BUSY)
    warnings.push(
      `one job cannot hand out ${compact(plan.shards.perSecond)} shards per second; submit more and smaller jobs (--jobs)`,
    );
  if (plan.mostShards > MOST_SHARDS)
    warnings.push(`one job keeps all workers busy only with EMBEDMILL_API_MOST_SHARDS=${plan.mostShards}`);
  if (store.zvec.busy > BUSY)
    warnings.push(
      `zvec cannot write ${compact(store.pointsPerSecond)} points per second; use Qdrant, and measure yours`,
    );
  if (plan.chunks > 2e6)
    warnings.push('zvec compares every vector in each search; use Qdrant for more than some million points');
  if (scanHours > hours && scanHours > 0.05)
    warnings.push(
      `workers wait for the scan of a job, which takes one API replica ${duration(scanHours)}; submit more and smaller jobs (--jobs), which are scanned side by side`,
    );
  return warnings;
}

/** The outcome of the simulation as a table. */
export function simulationLines(request: PlanRequest, plan: Plan, outcome: Outcome): string[] {
  const probe = outcome.jobs.at(-1);
  const rows: [what: string, much: string, from: string][] = [
    ['time', duration(outcome.seconds / 3600), `planned ${duration(plan.hours)}`],
    ['utilisation', percent(outcome.utilisation), 'of the workers’ time, until no shard was left to claim'],
    [
      'tail',
      `${outcome.tailSeconds.toFixed(1)} s`,
      `from then to the end; a shard takes ${plan.shards.seconds.toPrecision(2)} s`,
    ],
    [
      'on the queue',
      grouped(outcome.mostOutstanding),
      `shards at most, planned ${grouped(plan.redis.outstandingShards)}; ${grouped(outcome.mostOfOneJob)} of one job`,
    ],
    [
      'fairness',
      outcome.fairness.toFixed(3),
      request.jobs === 1 ? 'of one job' : `of ${grouped(request.jobs)} jobs of the same size (Jain’s index)`,
    ],
    [
      'a small job',
      `${(probe?.seconds ?? 0).toFixed(1)} s`,
      `${grouped(probe?.shards ?? 0)} shards, submitted in the middle`,
    ],
    ['run twice', grouped(outcome.repeated), `shards, of ${grouped(outcome.settled)}`],
    ['lost', grouped(outcome.lost), `shards, whose workers died repeatedly`],
  ];
  return table(
    rows.map((row) => [...row]),
    [1],
  );
}

function rateText(rate: RateSource): string {
  return rate.by === 'you'
    ? 'as given (--tokens-per-second)'
    : `measured with texts of ${rate.tokensPerChunk} tokens, ${rate.where}`;
}

function percent(share: number): string {
  const percents = 100 * share;
  return `${percents < 1000 ? percents.toPrecision(percents < 10 ? 2 : 3) : grouped(percents)} %`;
}

/** Formats a number that may have very many digits: 14.0 million, 202e9. */
function large(count: number): string {
  if (count < 1e6) return grouped(count);
  if (count < 1e9) return `${(count / 1e6).toPrecision(3)} million`;
  return count < 1e12 ? `${(count / 1e9).toPrecision(3)}e9` : `${(count / 1e12).toPrecision(3)}e12`;
}

/** Formats hours: "1.5 h", "12 min", "3.2 days". */
export function duration(hours: number): string {
  if (hours >= 72) return `${(hours / 24).toPrecision(3)} days`;
  if (hours >= 1) return `${hours.toPrecision(3)} h`;
  const minutes = hours * 60;
  return minutes >= 1 ? `${minutes.toPrecision(2)} min` : `${(minutes * 60).toPrecision(2)} s`;
}
