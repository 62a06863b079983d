import type { Metrics, Stage } from '@embedmill/metrics';
import { NO_TRACING, type Tracing } from '@embedmill/tracing';

/** A shard's time in each stage, in milliseconds. */
export type StageTimes = Map<Stage, number>;

export type Timed = <T>(stage: Stage, work: () => Promise<T>) => Promise<T>;

export interface TimedParts {
  metrics: Pick<Metrics<'worker'>, 'stageSeconds'>;
  /** None by default. */
  tracing?: Tracing;
  /** Sums up the time of the shard's stages; not measured by default. */
  stageTimes?: StageTimes;
}

/** Runs work as a stage of its shard's pipeline: in its span, and with its duration measured. */
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

/** In the format of a shard's result. */
export function stageMsOf(times: StageTimes): Record<string, number> {
  return Object.fromEntries([...times].map(([stage, ms]) => [stage, Math.round(ms)]));
}
