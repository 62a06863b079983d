import { execFile } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';
import { parse } from 'yaml';
import { RENDERED } from '../helm/chart.ts';
import { deploymentsOf, faultsOf, parseManifests, type Manifest } from '../helm/manifests.ts';

const HERE = import.meta.dirname;
const run = promisify(execFile);
const kubectl = await run('kubectl', ['version', '--client']).then(
  () => true,
  () => false,
);

const read = async (name: string): Promise<Manifest[]> =>
  parseManifests(await readFile(join(HERE, name), 'utf8'));

test('the images, replicas and settings that it changes exist', async () => {
  const { images, replicas } = parse(await readFile(join(HERE, 'kustomization.yaml'), 'utf8')) as {
    images: { name: string }[];
    replicas: { name: string }[];
  };
  const { resources } = parse(await readFile(join(RENDERED, 'kustomization.yaml'), 'utf8')) as {
    resources: string[];
  };
  const rendered = (
    await Promise.all(resources.map((name) => readFile(join(RENDERED, name), 'utf8')))
  ).flatMap(parseManifests);
  const deployments = deploymentsOf(rendered);
  const names = deployments.map(({ metadata }) => metadata!.name);
  for (const { name } of replicas) expect(names).toContain(name);
  const used = deployments.map(({ spec }) => spec!.template.spec!.containers[0]!.image!.split(':')[0]);
  for (const { name } of images) expect(used).toContain(name);
  const [settings] = await read('settings.yaml');
  const changed = rendered.find(
    ({ kind, metadata }) => kind === 'ConfigMap' && metadata.name === settings!.metadata.name,
  );
  expect(Object.keys(changed!['data'] as object)).toEqual(
    expect.arrayContaining(Object.keys(settings!['data'] as object)),
  );
  expect((await read('namespace.yaml')).flatMap(faultsOf)).toEqual([]);
});

test.skipIf(!kubectl)(
  `kubectl builds manifests that fit their schemas${kubectl ? '' : ' (skipped: no kubectl here)'}`,
  async () => {
    const manifests = parseManifests((await run('kubectl', ['kustomize', HERE])).stdout);
    expect(manifests.flatMap(faultsOf)).toEqual([]);
    const namespaces = manifests.flatMap(({ kind, metadata }) =>
      kind === 'Namespace' ? [] : [(metadata as { namespace?: string }).namespace],
    );
    expect(new Set(namespaces)).toEqual(new Set(['embedmill']));
    expect(manifests.find(({ kind }) => kind === 'ConfigMap')!['data']).toMatchObject({
      REDIS_URL: 'rediss://redis.example.com:6379',
    });
  },
);
