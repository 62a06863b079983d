// Bundles an app or a package: node ../../build.mjs [--outdir DIR] [--asset PACKAGE/FILE …] [--external PACKAGE …]
// src/main.ts [src/other.ts …],
// run in its folder, writes dist/*.js, or DIR/*.js; pack.mjs does the same to make packages.
// Workspace code (@embedmill/*) is inlined, since it is TypeScript; npm packages stay imports, as does what is said to be
// external, for it is published itself. An asset is a file of an
// npm package that is served as it is: it is copied to dist/PACKAGE/FILE, so that the package is needed for builds alone.
import { cp, rm } from 'node:fs/promises';
import { createRequire, isBuiltin } from 'node:module';
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { build } from 'esbuild';

/** What Node 20 lacks of what the sources use. It gets stand-ins, as imports: nobody else’s globals are touched. */
const NEWER_THAN_NODE_20 = { 'Promise.withResolvers': 'withResolvers', 'RegExp.escape': 'escapeForRegExp' };

const packagesStayImports = (externals) => ({
  name: 'packages-stay-imports',
  setup(bundle) {
    bundle.onResolve({ filter: /^[^./]/ }, ({ path, kind }) => {
      const isInlined = path.startsWith('@embedmill/') && !externals.includes(path);
      return kind === 'entry-point' || isInlined ? undefined : { path, external: true };
    });
  },
});

/** What the arguments of a build script ask for. */
export function readArguments(args) {
  const { values, positionals: entryPoints } = parseArgs({
    args,
    allowPositionals: true,
    options: {
      outdir: { type: 'string', default: 'dist' },
      asset: { type: 'string', multiple: true, default: [] },
      external: { type: 'string', multiple: true, default: [] },
    },
  });
  if (entryPoints.length === 0)
    throw new Error(
      'usage: node build.mjs [--outdir DIR] [--asset PACKAGE/FILE …] [--external PACKAGE …] ENTRY.ts [ENTRY.ts …]',
    );
  return { outdir: values.outdir, assets: values.asset, externals: values.external, entryPoints };
}

/** Bundles the entries of a folder; gives the names of the npm packages that are imported. */
export async function bundle(
  folder,
  { entryPoints, assets, externals, outdir },
  { target = 'node24', sourcemap = true } = {},
) {
  const to = resolve(folder, outdir);
  await rm(to, { recursive: true, force: true });
  const { metafile } = await build({
    absWorkingDir: folder,
    entryPoints,
    outdir: to,
    // Entries lie side by side, from whatever folder they come: threads and processes find theirs beside them.
    entryNames: '[name]',
    bundle: true,
    format: 'esm',
    platform: 'node',
    target,
    splitting: true,
    sourcemap,
    metafile: true,
    plugins: [packagesStayImports(externals)],
    ...(target === 'node20' && {
      define: NEWER_THAN_NODE_20,
      inject: [join(import.meta.dirname, 'packages/node20.mjs')],
    }),
  });
  const { resolve: find } = createRequire(join(folder, 'package.json'));
  for (const asset of assets) await cp(find(asset), join(to, asset));
  const imports = Object.values(metafile.outputs).flatMap((output) => output.imports);
  const names = imports
    .filter(({ path, external }) => external === true && !isBuiltin(path))
    .map(({ path }) => path.split('/', path.startsWith('@') ? 2 : 1).join('/'));
  return [...new Set(names)].sort();
}

if (import.meta.main) await bundle(process.cwd(), readArguments(process.argv.slice(2)));
