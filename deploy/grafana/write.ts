import { writeFile } from 'node:fs/promises';
import { dashboards, fileText } from './dashboards.ts';

/** `npm run dashboards -w deploy`: writes the dashboards that Grafana loads. */
for (const [name, dashboard] of dashboards())
  await writeFile(new URL(`dashboards/${name}.json`, import.meta.url), fileText(dashboard));
