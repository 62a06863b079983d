import type { ModelSummary } from '@embedmill/models';

/** How old the list may be that a request is answered by, in milliseconds. */
const FRESH_MS = 1000;

/** All models that can be named; looked up again where the list is older than `maxAgeMs`, a second by default. */
export type ModelList = (maxAgeMs?: number) => Promise<readonly ModelSummary[]>;

/**
 * Keeps the list of models, for listing them looks at every model's files, which takes longer than a search. Those who ask
 * while it is looked up share one look. The user may add models while the server runs: whoever misses one asks for a list
 * of no age (`requireModel`).
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
