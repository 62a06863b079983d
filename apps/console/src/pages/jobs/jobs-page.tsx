import type { Route } from '../../route.ts';
import { JobList } from './job-list.tsx';
import { JobPage } from './job-page.tsx';

export function JobsPage({ route }: { route: Route }) {
  const [id] = route.parts;
  return id === undefined ? <JobList route={route} /> : <JobPage id={id} />;
}
