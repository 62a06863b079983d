import { cp, mkdir, rm, writeFile } from 'node:fs/promises';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { CASE_NAMES, CASES, COPIES, helmTemplate, RENDERED } from './chart.ts';

/** `npm run render -w deploy`: updates the chart's copies of rules and dashboards, and rendered/. */
for (const [ours, copy] of COPIES) {
  await rm(copy, { recursive: true, force: true });
  if (existsSync(ours)) await cp(ours, copy, { recursive: true });
}
await mkdir(RENDERED, { recursive: true });
for (const name of CASE_NAMES) {
  await writeFile(join(RENDERED, `${name}.yaml`), await helmTemplate(CASES[name]));
}
