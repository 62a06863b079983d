import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { parse } from 'yaml';

interface Step {
  uses?: string;
  run?: string;
  with?: Record<string, unknown>;
}
interface Job {
  needs?: string;
  permissions: Record<string, string>;
  strategy?: { matrix: { include: { target: string; platforms: string }[] } };
  steps: Step[];
}

const read = (path: string): Promise<string> =>
  readFile(fileURLToPath(new URL(`../../${path}`, import.meta.url)), 'utf8');
const workflow = parse(await read('.github/workflows/release.yml')) as {
  on: { push: { tags: string[] } };
  permissions: object;
  jobs: Record<string, Job>;
};

test('a tag is checked, then come images, chart and release, each only after the one before', () => {
  expect(workflow.on).toEqual({ push: { tags: ['v*.*.*'] } });
  expect(Object.entries(workflow.jobs).map(([name, { needs }]) => [name, needs])).toEqual([
    ['check', undefined],
    ['images', 'check'],
    ['chart', 'images'],
    ['release', 'chart'],
  ]);
});

test('every image of the Dockerfile is built with its version, pushed, and signed by its digest', async () => {
  const { strategy, steps } = workflow.jobs['images']!;
  const built = strategy!.matrix.include;
  const dockerfile = await read('deploy/docker/Dockerfile');
  const images = [...dockerfile.matchAll(/^#\s+docker build .*--target (\S+)/gm)].map(([, name]) => name);
  expect(built.map(({ target }) => target)).toEqual(images);
  expect(built.find(({ target }) => target === 'worker-cuda')!.platforms).toBe('linux/amd64');
  const build = steps.find(({ uses }) => uses?.startsWith('docker/build-push-action'))!;
  const args = String(build.with!['build-args']).trim().split('\n');
  const declared = /^ARG (VERSION="" .*)$/m.exec(dockerfile)![1]!.replaceAll('=""', '').split(' ');
  expect(args.map((arg) => arg.split('=')[0])).toEqual(declared);
  expect(build.with).toMatchObject({ push: true, sbom: true, provenance: 'mode=max' });
  expect(steps.at(-1)!.run).toMatch(/cosign sign .*@\$\{\{ steps\.build\.outputs\.digest \}\}/);
});

test('no job has more permissions than it needs, and every action has a version', () => {
  expect(workflow.permissions).toEqual({});
  for (const [name, { permissions, steps }] of Object.entries(workflow.jobs)) {
    expect(permissions['contents'], name).toBe(name === 'release' ? 'write' : 'read');
    for (const { uses } of steps) if (uses !== undefined) expect(uses).toMatch(/@v\d+$/);
  }
});
