import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Ajv } from 'ajv';
import { describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import { CASES, CHART } from './chart.ts';

type Values = Record<string, unknown>;

const read = async (path: string): Promise<Values> =>
  parse(await readFile(join(CHART, path), 'utf8')) as Values;
const isValues = (value: unknown): value is Values =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** As Helm does: merges maps field by field and replaces everything else. */
function merge(under: Values, over: Values): Values {
  const merged = { ...under };
  for (const [name, value] of Object.entries(over)) {
    const other = merged[name];
    merged[name] = isValues(value) && isValues(other) ? merge(other, value) : value;
  }
  return merged;
}

const schema = JSON.parse(await readFile(join(CHART, 'values.schema.json'), 'utf8')) as object;
const check = new Ajv({ allErrors: true, allowUnionTypes: true }).compile(schema);
const defaults = await read('values.yaml');

test('the chart’s default values fit its schema', () => {
  check(defaults);
  expect(check.errors ?? []).toEqual([]);
});

test('the chart and the images of compose.yaml and the kustomization have the repository’s version', async () => {
  const { version } = JSON.parse(await readFile(join(CHART, '../../../package.json'), 'utf8')) as Values;
  expect(await read('Chart.yaml')).toMatchObject({ version, appVersion: version });
  expect(await read('../embedmill-stack/Chart.yaml')).toMatchObject({ version, appVersion: version });
  const compose = await readFile(join(CHART, '../../docker/compose.yaml'), 'utf8');
  const tags = [...compose.matchAll(/image: embedmill\/\S+:(\S+)/g)].map(([, tag]) => tag);
  expect(tags).toEqual([version, version, version]);
  const { images } = (await read('../../kustomize/kustomization.yaml')) as { images: { newTag: string }[] };
  expect(images.map(({ newTag }) => newTag)).toEqual([version, version]);
});

test('every value file is rendered in a case', async () => {
  const used = new Set<string>(Object.values(CASES).flat());
  expect((await readdir(join(CHART, 'values'))).sort()).toEqual(
    [...used].sort().map((name) => `${name}.yaml`),
  );
});

describe.each(Object.entries(CASES))('%s', (_name, files) => {
  test('its values fit the schema', async () => {
    let values = defaults;
    for (const file of files) values = merge(values, await read(`values/${file}.yaml`));
    check(values);
    expect(check.errors ?? []).toEqual([]);
  });
});

test('no object in the values accepts unknown fields, except maps', () => {
  const refused = (path: string[], value: Values): boolean => {
    const [name, ...rest] = path;
    const changed = (under: Values, names: string[]): Values => {
      const [next, ...others] = names;
      if (next === undefined) return { ...under, misspelt: 1 };
      return { ...under, [next]: changed(under[next] as Values, others) };
    };
    return !check(name === undefined ? { ...value, misspelt: 1 } : changed(value, [name, ...rest]));
  };
  const objects = (value: Values, path: string[]): string[][] => [
    path,
    ...Object.entries(value).flatMap(([name, inner]) =>
      isValues(inner) && Object.keys(inner).length > 0 ? objects(inner, [...path, name]) : [],
    ),
  ];
  // The keys of these maps are the user's: names of resources.
  const isMap = (path: string[]): boolean => ['requests', 'limits'].includes(path.at(-1) ?? '');
  const paths = objects(defaults, []).filter((path) => !isMap(path));
  expect(paths.length).toBeGreaterThan(25);
  expect(paths.filter((path) => !refused(path, defaults)).map((path) => path.join('.'))).toEqual([]);
});
