import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { stringify } from 'yaml';
import { metricNames, servedNames } from '../prometheus/metric-names.ts';
import { promtool, PROMTOOL, WITHOUT_PROMTOOL } from '../prometheus/promtool.ts';
import { dashboards } from './dashboards.ts';

interface Panel {
  id: number;
  type: string;
  title: string;
  description?: string;
  targets?: { refId: string; expr: string; legendFormat: string }[];
  links?: { url: string }[];
  datasource?: { uid: string };
  fieldConfig?: { defaults: { unit?: string; thresholds?: { steps: unknown[] } } };
}
interface DashboardFile {
  uid: string;
  panels: Panel[];
  templating: { list: { name: string }[] };
}

/** As Grafana gets them. */
const built = [...dashboards()].map(
  ([name, dashboard]) => [name, JSON.parse(JSON.stringify(dashboard)) as DashboardFile] as const,
);
const panels = built.flatMap(([name, { panels: all }]) =>
  all.filter(({ type }) => type !== 'row').map((panel) => ({ name, panel })),
);
const expressions = panels.flatMap(({ panel }) => (panel.targets ?? []).map(({ expr }) => expr));

test.each(built)(
  'dashboards/%s.json is up to date with its source; if not, run "npm run dashboards -w deploy"',
  async (name, dashboard) => {
    const file = await readFile(new URL(`dashboards/${name}.json`, import.meta.url), 'utf8');
    expect(JSON.parse(file)).toEqual(dashboard);
  },
);

test('the folder has no other files', async () => {
  const files = await readdir(new URL('dashboards/', import.meta.url));
  expect(files.sort()).toEqual(built.map(([name]) => `${name}.json`).sort());
});

test('every panel has a unit, thresholds, a description, a data source, and named queries', () => {
  expect(panels.length).toBeGreaterThan(40);
  for (const { panel } of panels) {
    expect(panel.description, panel.title).toMatch(/^.{20,}\.$/);
    expect(panel.fieldConfig?.defaults.unit, panel.title).toBeTruthy();
    expect(panel.fieldConfig?.defaults.thresholds?.steps.length, panel.title).toBeGreaterThan(0);
    expect(panel.datasource?.uid).toBe('${datasource}');
    expect(panel.targets?.length, panel.title).toBeGreaterThan(0);
    for (const { legendFormat } of panel.targets ?? []) expect(legendFormat, panel.title).not.toBe('');
  }
});

test('ids are unique, and expressions use only existing variables', () => {
  expect(new Set(built.map(([, { uid }]) => uid)).size).toBe(4);
  for (const [, { panels: all, templating }] of built) {
    expect(new Set(all.map(({ id }) => id)).size).toBe(all.length);
    const names = templating.list.map(({ name }) => name);
    expect(names).toEqual(expect.arrayContaining(['datasource', 'job', 'pool', 'instance']));
    const used = all
      .flatMap(({ targets }) => targets ?? [])
      .flatMap(({ expr }) => [...expr.matchAll(/\$(\w+)/g)].map(([, name = '']) => name));
    expect(used.filter((name) => !name.startsWith('__') && !names.includes(name))).toEqual([]);
  }
});

test('every metric in every expression is served by us, by Prometheus or by the DCGM exporter', async () => {
  const known = await servedNames();
  expect(expressions.length).toBeGreaterThan(50);
  for (const expression of expressions) {
    const names = metricNames(expression);
    expect(names.length, expression).toBeGreaterThan(0);
    const unknown = names.filter((name) => !known.has(name) && !/^(DCGM_FI_|ALERTS$)/.test(name));
    expect(unknown, expression).toEqual([]);
  }
});

test('the runbooks that panels link to exist', async () => {
  const runbooks = await readFile(new URL('../../docs/runbooks.md', import.meta.url), 'utf8');
  const anchors = [...runbooks.matchAll(/^## (\S+)$/gm)].map(([, name = '']) => name.toLowerCase());
  const linked = panels.flatMap(({ panel }) => (panel.links ?? []).map(({ url }) => url.split('#')[1]));
  expect(linked.length).toBeGreaterThan(20);
  for (const anchor of linked) expect(anchors).toContain(anchor);
});

test.skipIf(PROMTOOL === undefined)(`promtool parses every expression${WITHOUT_PROMTOOL}`, async () => {
  const folder = await mkdtemp(join(tmpdir(), 'embedmill-expressions-'));
  try {
    const rules = expressions.map((expression, n) => ({
      record: `expression:${n}`,
      expr: expression.replaceAll('$__rate_interval', '5m').replaceAll(/\$(price|drain_hours)/g, '2'),
    }));
    const file = join(folder, 'expressions.yaml');
    await writeFile(file, stringify({ groups: [{ name: 'expressions', rules }] }));
    const { code, output } = await promtool(['check', 'rules', file]);
    expect({ code, output }).toMatchObject({
      code: 0,
      output: expect.stringContaining(`${expressions.length} rules found`),
    });
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
});
