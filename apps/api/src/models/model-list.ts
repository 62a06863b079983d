import type { ModelSummary } from '@embedmill/models';

/** How old, in milliseconds, the list may be that answers a request. */
const FRESH_MS = 1000;

/** All available models; listed again if the list is older than `maxAgeMs`, by default one second. */
export type ModelList = (maxAgeMs?: number) => Promise<readonly ModelSummary[]>;

/**
 * Caches the list of models, because listing them reads every model's files, which takes longer than a search.
 * Concurrent callers share one listing. Users may add models while the server runs: if a model is missing,
 * `requireModel` asks for a list of age 0.
 */
export function keptModels(
  list: () => Promise<readonly ModelSummary[]>,
  now: () => number = () => performance.now(),
): ModelList {
  let kept: { models: Promise<readonly ModelSummary[]>; at: number } | undefined;
  return (maxAgeMs = FRESH_MS) => {
    if (kept !== undefined && now() - kept.at <= maxAgeMs) return kept.models;
    const look = { models: list(), at: now() };
    kept = look;
    look.models.catch(() => {
      if (kept === look) kept = undefined;
    });
    return look.models;
  };
}
