import type { Job } from '../../server/shapes.ts';

/** How far a job was at a time. */
export interface Sample {
  /** Milliseconds. */
  readonly at: number;
  readonly done: number;
  readonly tokens: number;
}

/** What a job did a second, between two samples. */
export interface Pace {
  readonly at: number;
  readonly documents: number;
  readonly tokens: number;
}

/** Samples that are kept, and how close two of them may be. */
const MOST = 240;
const LEAST_MS = 400;
/** How far back the present pace looks. */
const RECENT_MS = 15_000;

/** The samples with one more; those that are too close to the one before are left out. */
export function sampled(samples: readonly Sample[], { done, tokens }: Job, at: number): readonly Sample[] {
  const last = samples.at(-1);
  if (last !== undefined && (at - last.at < LEAST_MS || done < last.done)) return samples;
  return [...samples, { at, done, tokens }].slice(-MOST);
}

/** From sample to sample. */
export function paces(samples: readonly Sample[]): Pace[] {
  return samples.slice(1).flatMap((sample, n) => {
    const before = samples[n];
    return before === undefined ? [] : [between(before, sample)];
  });
}

/** The pace of the last seconds; undefined before there is any. */
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

/** Seconds until the job is done at this pace, or at that of its whole time; undefined where that is not known. */
export function secondsLeft({ documents, done, seconds }: Job, pace: Pace | undefined): number | undefined {
  if (documents === 0) return undefined;
  const perSecond = pace !== undefined && pace.documents > 0 ? pace.documents : done / seconds;
  return perSecond > 0 && Number.isFinite(perSecond) ? (documents - done) / perSecond : undefined;
}
