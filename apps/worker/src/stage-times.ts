import type { Metrics, Stage } from '@embedmill/metrics';
import { NO_TRACING, type Tracing } from '@embedmill/tracing';

/** Milliseconds that a shard was in each stage. */
export type StageTimes = Map<Stage, number>;

export type Timed = <T>(stage: Stage, work: () => Promise<T>) => Promise<T>;

export interface TimedParts {
  metrics: Pick<Metrics<'worker'>, 'stageSeconds'>;
  /** None by default. */
  tracing?: Tracing;
  /** Where the time of the shard's stages is summed up; nowhere by default. */
  stageTimes?: StageTimes;
}

/** Runs work as a stage of its shard's walk: in its span, and with how long it took. */
export function timedBy({ metrics, tracing = NO_TRACING, stageTimes }: TimedParts): Timed {
  return async (stage, work) => {
    const start = performance.now();
    try {
      return await tracing.inSpan(stage, work);
    } finally {
      const ms = performance.now() - start;
      metrics.stageSeconds.observe(ms / 1000, { stage });
      stageTimes?.set(stage, (stageTimes.get(stage) ?? 0) + ms);
    }
  };
}

/** As a shard's result tells it. */
export function stageMsOf(times: StageTimes): Record<string, number> {
  return Object.fromEntries([...times].map(([stage, ms]) => [stage, Math.round(ms)]));
}
