import type { Job } from '../../server/shapes.ts';

/** A job's progress at one moment. */
export interface Sample {
  /** Milliseconds. */
  readonly at: number;
  readonly done: number;
  readonly tokens: number;
}

/** A job's rates per second between two samples. */
export interface Pace {
  readonly at: number;
  readonly documents: number;
  readonly tokens: number;
}

/** The most samples kept, and the least time between two of them. */
const MOST = 240;
const LEAST_MS = 400;
/** The span over which the present pace is measured. */
const RECENT_MS = 15_000;

/** Adds a sample, unless it is too close to the one before. */
export function sampled(samples: readonly Sample[], { done, tokens }: Job, at: number): readonly Sample[] {
  const last = samples.at(-1);
  if (last !== undefined && (at - last.at < LEAST_MS || done < last.done)) return samples;
  return [...samples, { at, done, tokens }].slice(-MOST);
}

/** The pace between each two consecutive samples. */
export function paces(samples: readonly Sample[]): Pace[] {
  return samples.slice(1).flatMap((sample, n) => {
    const before = samples[n];
    return before === undefined ? [] : [between(before, sample)];
  });
}

/** The pace over the last seconds; undefined until there are two samples. */
export function presentPace(samples: readonly Sample[]): Pace | undefined {
  const last = samples.at(-1);
  const first = samples.find(({ at }) => last !== undefined && last.at - at <= RECENT_MS);
  return last === undefined || first === undefined || first === last ? undefined : between(first, last);
}

function between(first: Sample, last: Sample): Pace {
  const seconds = (last.at - first.at) / 1000;
  return {
    at: last.at,
    documents: (last.done - first.done) / seconds,
    tokens: (last.tokens - first.tokens) / seconds,
  };
}

/** Seconds until the job is done, at this pace or else at its average; undefined if unknown. */
export function secondsLeft(
  { scanned, documents, done, seconds }: Job,
  pace: Pace | undefined,
): number | undefined {
  if (documents === 0 || !scanned) return undefined;
  const perSecond = pace !== undefined && pace.documents > 0 ? pace.documents : done / seconds;
  return perSecond > 0 && Number.isFinite(perSecond) ? (documents - done) / perSecond : undefined;
}
