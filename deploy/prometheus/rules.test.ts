import { readdir, readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { beforeAll, expect, test } from 'vitest';
import { parse } from 'yaml';
import { METRICS, type MetricEntry } from '@embedmill/metrics';
import { metricNames, servedNames } from './metric-names.ts';
import { promtool, PROMTOOL, WITHOUT_PROMTOOL } from './promtool.ts';

interface Rule {
  record?: string;
  alert?: string;
  expr: string;
  labels?: Record<string, string>;
  annotations?: Record<string, string>;
}

interface AlertCase {
  alertname: string;
  exp_alerts: { exp_annotations: Record<string, string> }[];
}

const RULES = fileURLToPath(new URL('rules/embedmill.yaml', import.meta.url));
const TESTS = fileURLToPath(new URL('tests/', import.meta.url));
let rules: Rule[];
let alerts: (Rule & { alert: string })[];

beforeAll(async () => {
  const file = parse(await readFile(RULES, 'utf8')) as { groups: { rules: Rule[] }[] };
  rules = file.groups.flatMap((group) => group.rules);
  alerts = rules.flatMap((rule) => (rule.alert === undefined ? [] : { ...rule, alert: rule.alert }));
});

/** The expectations of promtool’s test files for each alert. */
async function alertCases(): Promise<AlertCase[]> {
  const texts = await Promise.all((await readdir(TESTS)).map((name) => readFile(`${TESTS}/${name}`, 'utf8')));
  return texts
    .flatMap((text) => (parse(text) as { tests: { alert_rule_test: AlertCase[] }[] }).tests)
    .flatMap(({ alert_rule_test: checks }) => checks);
}

/** Matches an annotation’s text with anything in place of its templates. */
function filledIn(template: string): RegExp {
  const parts = template.split(/\{\{.*?\}\}/s).map((part) => RegExp.escape(part));
  return new RegExp(`^${parts.join('.*')}$`, 's');
}

test('every metric in a rule is served, or recorded by another rule', async () => {
  const known = await servedNames();
  for (const { record } of rules) if (record !== undefined) known.add(record);
  known.add('up');
  expect(rules.length).toBeGreaterThan(15);
  for (const { expr } of rules) {
    const names = metricNames(expr);
    expect(names.length).toBeGreaterThan(0);
    expect(names.filter((name) => !known.has(name))).toEqual([]);
  }
});

test('the names in an expression are found, and nothing else', () => {
  const expression =
    'sum by (le, a_label) (rate(one_bucket{job="two"}[5m])) / on (x) group_left () (three:four > 1e6) ' +
    'unless five offset 1h and time() - six > $price * 2 or vector(0) and seven{a=~"b{2}"}';
  expect(metricNames(expression)).toEqual(['five', 'one_bucket', 'seven', 'six', 'three:four']);
});

test('every recording rule is used', () => {
  const asked = new Set(rules.flatMap(({ expr }) => metricNames(expr)));
  const recorded = rules.flatMap(({ record }) => record ?? []);
  expect(recorded.filter((name) => !asked.has(name))).toEqual([]);
});

test('labels that rules select by, and their values, are in the metrics’ table', () => {
  const selectors = rules.flatMap(({ expr }) => [...expr.matchAll(/([\w:]+)\{([^}]*)\}/g)]);
  const matchers = selectors.flatMap(([, name = '', inner = '']) =>
    [...inner.matchAll(/(\w+)="([^"]*)"/g)].map(([, label = '', value = '']) => ({ name, label, value })),
  );
  expect(matchers.length).toBeGreaterThan(8);
  for (const { name, label, value } of matchers) {
    // A recorded series keeps the labels that its expression groups by.
    const metric = name.replace(/_count$/, '');
    const entry = Object.values<MetricEntry>(METRICS).find((one) => one.name === metric);
    const recorded = rules.find(({ record }) => record?.endsWith(name));
    if (entry === undefined) expect(recorded?.expr, name).toMatch(new RegExp(`by \\([^)]*${label}`));
    else {
      const allowed = entry.labels[label];
      expect(allowed, `${name}{${label}}`).toBeDefined();
      if (allowed !== undefined && !('atMost' in allowed)) expect(allowed).toContain(value);
    }
  }
});

test('every alert has a severity, a summary, a description and an existing runbook', async () => {
  const runbooks = await readFile(new URL('../../docs/runbooks.md', import.meta.url), 'utf8');
  const sections = [...runbooks.matchAll(/^## (\S+)$/gm)].map(([, name = '']) => name);
  expect([...sections].sort()).toEqual(alerts.map(({ alert }) => alert).sort());
  for (const section of runbooks.split(/^## /m).slice(1))
    for (const part of ['**Means**', '**Look at**', '**Do**']) expect(section).toContain(part);
  for (const { alert, labels, annotations } of alerts) {
    expect(alert).toMatch(/^Embedmill[A-Z][A-Za-z]+$/);
    expect(['critical', 'warning', 'info']).toContain(labels?.['severity']);
    expect(annotations?.['summary']).toMatch(/^[A-Z]/);
    expect(annotations?.['description']).toMatch(/\.$/);
    expect(annotations?.['runbook_url']).toBe(
      `https://embedmill.example/docs/runbooks.md#${alert.toLowerCase()}`,
    );
  }
});

test('every alert has tests in which it fires and in which it does not', async () => {
  const cases = await alertCases();
  for (const { alert } of alerts) {
    const own = cases.filter(({ alertname }) => alertname === alert);
    expect({ alert, fires: own.some(({ exp_alerts: expected }) => expected.length > 0) }).toEqual({
      alert,
      fires: true,
    });
    expect({ alert, quiet: own.some(({ exp_alerts: expected }) => expected.length === 0) }).toEqual({
      alert,
      quiet: true,
    });
  }
});

test('the tests of alerts expect the texts of the rules', async () => {
  for (const { alertname, exp_alerts: expected } of await alertCases()) {
    const texts = alerts.find(({ alert }) => alert === alertname)?.annotations ?? {};
    for (const { exp_annotations: annotations } of expected) {
      expect(Object.keys(annotations).sort()).toEqual(Object.keys(texts).sort());
      for (const [name, template] of Object.entries(texts))
        expect(annotations[name], alertname).toMatch(filledIn(template));
    }
  }
});

test.skipIf(PROMTOOL === undefined)(`promtool accepts the rules${WITHOUT_PROMTOOL}`, async () => {
  const { code, output } = await promtool(['check', 'rules', RULES]);
  expect({ code, output }).toMatchObject({ code: 0, output: expect.stringContaining('SUCCESS') });
});

test.skipIf(PROMTOOL === undefined)(
  `the alerts fire when they should, and only then${WITHOUT_PROMTOOL}`,
  async () => {
    const files = (await readdir(TESTS)).map((name) => `${TESTS}/${name}`);
    const { code, output } = await promtool(['test', 'rules', ...files]);
    expect({ code, output }).toMatchObject({ code: 0, output: expect.not.stringContaining('FAILED') });
  },
);
