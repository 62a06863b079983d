import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';

const ROOT = join(import.meta.dirname, '..');
const read = (path: string): string => readFileSync(join(ROOT, path), 'utf8');

test('the devcontainer has the same Node as the images and the repository', () => {
  const { image, postCreateCommand } = JSON.parse(read('.devcontainer/devcontainer.json')) as {
    image: string;
    postCreateCommand: string;
  };
  // The images use the slim variant, which has no git.
  const [, node] = /^ARG NODE=(.*)-slim$/m.exec(read('deploy/docker/Dockerfile')) ?? [];
  expect(image).toBe(node);
  const { dependencies } = JSON.parse(read('package.json')) as { dependencies: { node: string } };
  expect(image).toBe(`node:${dependencies.node}-bookworm`);
  expect(postCreateCommand).toBe('npm ci');
});
