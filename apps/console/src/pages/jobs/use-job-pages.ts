import { useCallback, useEffect, useRef, useState } from 'preact/hooks';
import { useLoaded, useServer } from '../../server/use-server.ts';
import type { Problem } from '../../server/problem.ts';
import type { Job } from '../../server/shapes.ts';
import type { QueryOf } from '@embedmill/client';

export type JobQuery = Omit<QueryOf<'/api/v1/jobs'>, 'limit' | 'after'>;

const PAGE = 100;
const LOOK_MS = 4000;

export interface JobPages {
  readonly jobs: readonly Job[] | undefined;
  readonly problem: Problem | undefined;
  /** Whether the server has more jobs than these. */
  readonly isMore: boolean;
  readonly more: () => void;
  readonly reload: () => void;
}

/**
 * The jobs that match a query, newest first. `more` loads the next page. The first page is reloaded every few seconds,
 * so that new jobs appear at the top and its jobs stay up to date.
 */
export function useJobPages(query: JobQuery): JobPages {
  const { client } = useServer();
  const search = JSON.stringify(query);
  const first = useLoaded(
    `jobs ${search}`,
    (asked, options) => asked.jobs.list({ ...query, limit: PAGE, ...options }),
    LOOK_MS,
  );
  const [later, setLater] = useState<{ of: string; jobs: readonly Job[]; next: string | null }>();
  const asking = useRef<AbortController | undefined>(undefined);
  const own = later?.of === search ? later : undefined;
  const next = own === undefined ? (first.data?.next ?? null) : own.next;

  useEffect(() => () => asking.current?.abort(), [search]);

  const more = useCallback(() => {
    if (next === null || (asking.current !== undefined && !asking.current.signal.aborted)) return;
    const ended = new AbortController();
    asking.current = ended;
    client.jobs
      .list({ ...(JSON.parse(search) as JobQuery), limit: PAGE, after: next, signal: ended.signal })
      .then((page) => {
        if (ended.signal.aborted) return;
        setLater((before) => ({
          of: search,
          jobs: [...(before?.of === search ? before.jobs : (first.data?.jobs ?? [])), ...page.jobs],
          next: page.next,
        }));
      })
      .catch(() => undefined)
      .finally(() => {
        if (asking.current === ended) asking.current = undefined;
      });
  }, [client, search, next, first.data]);

  const jobs =
    own === undefined || first.data === undefined ? first.data?.jobs : merged(first.data.jobs, own.jobs);
  return { jobs, problem: first.problem, isMore: next !== null, more, reload: first.reload };
}

/** The newest jobs in their current state, followed by the jobs loaded before. */
export function merged(newest: readonly Job[], before: readonly Job[]): Job[] {
  const ids = new Set(newest.map(({ id }) => id));
  return [...newest, ...before.filter(({ id }) => !ids.has(id))];
}
