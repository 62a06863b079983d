// Bundles an app: node ../../build.mjs [--outdir DIR] src/main.ts [src/other.ts …], run in the app's folder, writes
// dist/*.js, or DIR/*.js.
// Workspace code (@embedmill/*) is inlined, since it is TypeScript; npm packages stay imports.
import { rm } from 'node:fs/promises';
import { parseArgs } from 'node:util';
import { build } from 'esbuild';

const { values, positionals: entryPoints } = parseArgs({
  allowPositionals: true,
  options: { outdir: { type: 'string', default: 'dist' } },
});
if (entryPoints.length === 0) throw new Error('usage: node build.mjs [--outdir DIR] ENTRY.ts [ENTRY.ts …]');

const packagesStayImports = {
  name: 'packages-stay-imports',
  setup(bundle) {
    bundle.onResolve({ filter: /^[^./]/ }, ({ path, kind }) =>
      kind === 'entry-point' || path.startsWith('@embedmill/') ? undefined : { path, external: true },
    );
  },
};

await rm(values.outdir, { recursive: true, force: true });
await build({
  entryPoints,
  outdir: values.outdir,
  bundle: true,
  format: 'esm',
  platform: 'node',
  target: 'node22',
  splitting: true,
  sourcemap: true,
  plugins: [packagesStayImports],
});
