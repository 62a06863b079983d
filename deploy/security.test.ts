import { readFileSync } from 'node:fs';
import { glob } from 'node:fs/promises';
import { basename } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';

const ROOT = fileURLToPath(new URL('..', import.meta.url));

test('every test that SECURITY.md names exists', async () => {
  const text = readFileSync(new URL('../SECURITY.md', import.meta.url), 'utf8');
  const named = new Set(
    Array.from(text.matchAll(/`([\w./-]+\.(?:test|attack)\.ts)`/g), ([, path = '']) => path),
  );
  expect(named.size).toBeGreaterThan(15);
  const pattern = '{apps,libs,packages,deploy,test}/**/*.{test,attack}.ts';
  const paths = await Array.fromAsync(
    glob(pattern, { cwd: ROOT, exclude: (name) => basename(name) === 'node_modules' }),
  );
  for (const name of named) {
    const found = paths.some((path) => path === name || path.endsWith(`/${name}`));
    expect(found, name).toBe(true);
  }
});
