import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { parse } from 'yaml';

const read = (path: string): Promise<string> =>
  readFile(fileURLToPath(new URL(`../../${path}`, import.meta.url)), 'utf8');

test('every night the benchmark of docs/performance.md is measured and held to the kept ratios', async () => {
  const workflow = parse(await read('.github/workflows/nightly.yml')) as {
    on: { schedule: { cron: string }[] };
    permissions: object;
    jobs: { bench: { permissions: object; steps: { run?: string }[] } };
  };
  expect(workflow.on.schedule).toHaveLength(1);
  expect(workflow.permissions).toEqual({});
  expect(workflow.jobs.bench.permissions).toEqual({ contents: 'read' });
  const commands = workflow.jobs.bench.steps.flatMap(({ run }) => run ?? []);
  const page = await read('docs/performance.md');
  const benches = commands.filter((command) => command.includes(' bench '));
  expect(benches).toHaveLength(2);
  for (const command of benches) expect(page).toContain(`\`${command}\``);
});
