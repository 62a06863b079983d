// Bundles an app: node ../../build.mjs src/main.ts [src/other.ts …], run in the app's folder, writes dist/*.js.
// Workspace code (@embedmill/*) is inlined, since it is TypeScript; npm packages stay imports.
import { rm } from 'node:fs/promises';
import { build } from 'esbuild';

const entryPoints = process.argv.slice(2);
if (entryPoints.length === 0) throw new Error('usage: node build.mjs ENTRY.ts [ENTRY.ts …]');

const packagesStayImports = {
  name: 'packages-stay-imports',
  setup(bundle) {
    bundle.onResolve({ filter: /^[^./]/ }, ({ path, kind }) =>
      kind === 'entry-point' || path.startsWith('@embedmill/') ? undefined : { path, external: true },
    );
  },
};

await rm('dist', { recursive: true, force: true });
await build({
  entryPoints,
  outdir: 'dist',
  bundle: true,
  format: 'esm',
  platform: 'node',
  target: 'node22',
  splitting: true,
  sourcemap: true,
  plugins: [packagesStayImports],
});
