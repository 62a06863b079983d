import { build } from 'esbuild';
import { expect, test } from 'vitest';

test('it runs wherever JavaScript does: it imports nothing of Node’s, and openapi-fetch alone', async () => {
  const { metafile, outputFiles } = await build({
    entryPoints: ['src/index.ts'],
    bundle: true,
    format: 'esm',
    platform: 'browser',
    packages: 'external',
    write: false,
    metafile: true,
    outfile: 'index.js',
  });
  const imports = metafile.outputs['index.js']?.imports ?? [];
  expect(imports.map(({ path }) => path)).toEqual(['openapi-fetch']);
  expect(outputFiles[0]?.text).not.toMatch(/\b(Buffer|process|require)\b/);
});
