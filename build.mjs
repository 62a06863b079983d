// Bundles an app: node ../../build.mjs [--outdir DIR] [--asset PACKAGE/FILE …] src/main.ts [src/other.ts …], run in
// the app's folder, writes dist/*.js, or DIR/*.js.
// Workspace code (@embedmill/*) is inlined, since it is TypeScript; npm packages stay imports. An asset is a file of an
// npm package that is served as it is: it is copied to dist/PACKAGE/FILE, so that the package is needed for builds alone.
import { cp, rm } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { build } from 'esbuild';

const { values, positionals: entryPoints } = parseArgs({
  allowPositionals: true,
  options: {
    outdir: { type: 'string', default: 'dist' },
    asset: { type: 'string', multiple: true, default: [] },
  },
});
if (entryPoints.length === 0)
  throw new Error('usage: node build.mjs [--outdir DIR] [--asset PACKAGE/FILE …] ENTRY.ts [ENTRY.ts …]');

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

const { resolve } = createRequire(join(process.cwd(), 'package.json'));
for (const asset of values.asset) await cp(resolve(asset), join(values.outdir, asset));
