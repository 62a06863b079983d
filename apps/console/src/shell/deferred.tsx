import type { ComponentType } from 'preact';
import { useEffect, useState } from 'preact/hooks';
import { Loading, ProblemNotice } from '../parts/notice.tsx';
import type { Route } from '../route.ts';
import { Problem } from '../server/problem.ts';

type PageComponent = ComponentType<{ route: Route }>;

/** A page whose code comes when it is asked for. */
export function Deferred({ load, route }: { load: () => Promise<PageComponent>; route: Route }) {
  const [loaded, setLoaded] = useState<{ Page: PageComponent } | Problem>();
  useEffect(() => {
    load().then(
      (Page) => setLoaded({ Page }),
      (error: unknown) => setLoaded(new Problem('unreachable', 0, 'No answer', String(error))),
    );
  }, [load]);
  if (loaded === undefined) return <Loading />;
  if (loaded instanceof Problem) return <ProblemNotice problem={loaded} />;
  return <loaded.Page route={route} />;
}
