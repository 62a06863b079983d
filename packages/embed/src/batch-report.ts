import type { Lane } from '@embedmill/batching';
import type { EmbedmillError } from '@embedmill/jobs';
import type { Entry } from './sequence-window.ts';

/** One batch that has run. */
export interface BatchReport {
  /** Its number in this encoder, from one. */
  batch: number;
  lane: Lane;
  items: number;
  /** Tokens without padding. */
  tokens: number;
  /** Tokens with padding: items × longest. */
  paddedTokens: number;
  /** The duration of the run on the engine. */
  seconds: number;
  /** Tokens of each shard in it, as `job-shard`. */
  tokensByShard: ReadonlyMap<string, number>;
}

/** One batch that has not. */
export interface BatchFailure {
  batch: number;
  lane: Lane;
  items: number;
  error: EmbedmillError;
  /** The shards of its sequences, as `job-shard`. */
  shards: string[];
  /** Whether it is retried unchanged, in halves, or not at all. */
  next: 'whole' | 'halves' | 'failed';
}

export interface EncoderHooks {
  onBatch?: (report: BatchReport) => void;
  onBatchFailed?: (failure: BatchFailure) => void;
}

/** Tokens of each shard in a batch, as `job-shard`. */
export function tokensByShard(entries: readonly Entry[]): Map<string, number> {
  const tokens = new Map<string, number>();
  for (const { owner, length } of entries) {
    if (owner.job === undefined) continue;
    const shard = `${owner.job}-${owner.shard}`;
    tokens.set(shard, (tokens.get(shard) ?? 0) + length);
  }
  return tokens;
}

/** The shards of a batch's sequences, as `job-shard`. */
export function shardsOf(entries: readonly Entry[]): string[] {
  const names = entries.flatMap(({ owner: { job, shard } }) => (job === undefined ? [] : `${job}-${shard}`));
  return [...new Set(names)];
}
