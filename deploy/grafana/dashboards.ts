import type { Dashboard } from '@grafana/grafana-foundation-sdk/dashboard';
import { costAndCapacity } from './cost-and-capacity.ts';
import { overview } from './overview.ts';
import { queueAndStore } from './queue-and-store.ts';
import { workers } from './workers.ts';

/** Every dashboard, by the name of its file in `dashboards/`. */
export function dashboards(): Map<string, Dashboard> {
  return new Map([
    ['overview', numbered(overview())],
    ['workers', numbered(workers())],
    ['queue-and-store', numbered(queueAndStore())],
    ['cost-and-capacity', numbered(costAndCapacity())],
  ]);
}

/** The text of a dashboard's file. */
export function fileText(dashboard: Dashboard): string {
  return `${JSON.stringify(dashboard, null, 2)}\n`;
}

/** Grafana identifies panels by these ids; without them, it makes up new ones each time. */
function numbered(dashboard: Dashboard): Dashboard {
  for (const [at, panel] of (dashboard.panels ?? []).entries()) panel.id = at + 1;
  return dashboard;
}
