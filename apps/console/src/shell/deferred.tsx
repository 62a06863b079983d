import type { ComponentType } from 'preact';
import { useEffect, useState } from 'preact/hooks';
import { Loading, ProblemNotice } from '../parts/notice.tsx';
import type { Route } from '../route.ts';
import { problemOf, type Problem } from '../server/problem.ts';

type PageComponent = ComponentType<{ route: Route }>;

/** A page whose code is loaded on demand. */
export function Deferred({ load, route }: { load: () => Promise<PageComponent>; route: Route }) {
  const [loaded, setLoaded] = useState<{ Page: PageComponent } | { problem: Problem }>();
  useEffect(() => {
    load().then(
      (Page) => setLoaded({ Page }),
      (error: unknown) => setLoaded({ problem: { ...problemOf(error), code: 'unreachable' } }),
    );
  }, [load]);
  if (loaded === undefined) return <Loading />;
  if ('problem' in loaded) return <ProblemNotice problem={loaded.problem} />;
  return <loaded.Page route={route} />;
}
