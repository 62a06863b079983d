import { execFile, spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { cp, mkdir, mkdtemp, readdir, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join, relative } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { promisify } from 'node:util';
import { startTestRedis } from '@embedmill/redis-server';
import { DockerfileParser, type From } from 'dockerfile-ast';
import { validate } from 'dockerfile-utils';
import { expect, test } from 'vitest';
import { parse } from 'yaml';

const ROOT = join(import.meta.dirname, '../..');
const run = promisify(execFile);

const text = await readFile(join(import.meta.dirname, 'Dockerfile'), 'utf8');
const dockerfile = DockerfileParser.parse(text);
const stages = new Map(dockerfile.getFROMs().map((from) => [from.getBuildStage(), from]));
const IMAGES = ['api', 'worker', 'worker-cuda'] as const;

/** The instructions that build an image's file system: those of its base stages, then its own. */
function instructionsOf(stage: string): { keyword: string; args: string }[] {
  const from = stages.get(stage) as From;
  const own = dockerfile.getInstructions().filter((one) => {
    const line = one.getRange().start.line;
    const next = [...stages.values()]
      .map((other) => other.getRange().start.line)
      .filter((start) => start > from.getRange().start.line);
    return line > from.getRange().start.line && line < Math.min(...next, Infinity);
  });
  const parent = from.getImage() ?? '';
  return [
    ...(stages.has(parent) ? instructionsOf(parent) : []),
    ...own.map((one) => ({
      keyword: one.getKeyword(),
      args: one.getTextContent().replace(/^\S+\s+/, ''),
    })),
  ];
}

/** The COPY instructions of an image: from the build context, or from another stage. */
const copiesOf = (stage: string): { from: string | undefined; source: string; target: string }[] =>
  instructionsOf(stage).flatMap(({ keyword, args }) => {
    const [, from, source = '', target = ''] = /^(?:--from=(\S+) )?(\S+) (\S+)$/.exec(args) ?? [];
    return keyword === 'COPY' ? [{ from, source, target }] : [];
  });

test('the linter accepts the Dockerfile', () => {
  expect(validate(text)).toEqual([]);
  expect(validate('FROM a\nCOPPY x y\n')).not.toEqual([]);
});

test.each(IMAGES)('%s copies files that exist, and starts the app without root', (image) => {
  const instructions = instructionsOf(image);
  expect(instructions.findLast(({ keyword }) => keyword === 'USER')?.args).toBe('10001:10001');
  const app = image === 'api' ? 'api' : 'worker';
  expect(instructions.find(({ keyword }) => keyword === 'ENTRYPOINT')?.args).toContain(
    `apps/${app}/dist/main.js`,
  );
  expect(copiesOf(image).length).toBeGreaterThan(4);
  const labels = instructions.filter(({ keyword }) => keyword === 'LABEL').map(({ args }) => args);
  for (const label of ['title', 'description', 'licenses', 'version', 'revision', 'source'])
    expect(labels.join('\n')).toContain(`org.opencontainers.image.${label}=`);
  for (const { from, source } of copiesOf(image)) {
    if (from !== undefined) expect([...stages.keys()]).toContain(from);
    else expect(existsSync(join(ROOT, source)), source).toBe(true);
  }
});

test('base images have versions, and Node’s is the repository’s', async () => {
  const defaults = dockerfile
    .getInstructions()
    .filter((one) => one.getKeyword() === 'ARG')
    .slice(0, 3);
  const images = defaults.map((one) => (one.getRawArgumentsContent() ?? '').split('='));
  const { dependencies } = JSON.parse(await readFile(join(ROOT, 'package.json'), 'utf8')) as {
    dependencies: { node: string };
  };
  expect(Object.fromEntries(images)).toEqual({
    NODE: `node:${dependencies.node}-bookworm-slim`,
    DEBIAN: 'debian:bookworm-slim',
    CUDA: expect.stringMatching(/^nvidia\/cuda:12\.\d+\.\d+-cudnn-runtime-ubuntu24\.04$/),
  });
});

test('the build context has what npm ci reads, the sources and the models, and nothing else', async () => {
  const { workspaces } = JSON.parse(await readFile(join(ROOT, 'package.json'), 'utf8')) as {
    workspaces: string[];
  };
  const lines = (await readFile(join(ROOT, '.dockerignore'), 'utf8')).split('\n');
  const kept = lines.filter((line) => line.startsWith('!')).map((line) => line.slice(1));
  for (const path of kept) expect(existsSync(join(ROOT, path)), path).toBe(true);
  for (const workspace of workspaces.map((one) => one.replace('/*', ''))) {
    expect(
      kept.some((path) => path === workspace || path === `${workspace}/package.json`),
      workspace,
    ).toBe(true);
  }
  for (const path of ['package.json', 'package-lock.json', '.npmrc', 'build.mjs', 'models'])
    expect(kept).toContain(path);
  expect(lines).toContain('*');
  expect(lines).toContain('**/node_modules');
});

test('packages are installed before sources are copied, so that a changed source does not reinstall them', () => {
  const isSource = ({ keyword, args }: { keyword: string; args: string }): boolean =>
    keyword === 'COPY' && (args === '. .' || args.startsWith('--from=source /app'));
  const installing = [...stages.keys()].flatMap((stage) =>
    stage !== null && instructionsOf(stage).some(({ args }) => args.includes('npm ci')) ? [stage] : [],
  );
  expect(installing).toEqual(['bundles', 'api-packages', 'worker-packages', 'worker-cuda-packages']);
  for (const stage of installing) {
    const instructions = instructionsOf(stage);
    const install = instructions.findIndex(({ args }) => args.includes('npm ci'));
    expect(instructions.slice(0, install).filter(isSource), stage).toEqual([]);
  }
});

test('the API’s image has the console and no models, and the worker’s has what calibration needs', () => {
  expect(copiesOf('api').map(({ target }) => target)).toContain('apps/console/dist');
  expect(copiesOf('api').filter(({ source }) => source.startsWith('models'))).toEqual([]);
  const sources = copiesOf('worker').map(({ source }) => source);
  expect(sources).toEqual(expect.arrayContaining(['models', 'apps/cli/demo/wordnet.ndjson']));
});

/** Runs an instruction of the Dockerfile in an empty folder, with these programs first on the PATH. */
async function runInstruction(
  containing: string,
  programs: Record<string, string>,
): Promise<{ code: number; output: string }> {
  const instruction = dockerfile
    .getInstructions()
    .find((one) => one.getKeyword() === 'RUN' && one.getTextContent().includes(containing))!;
  const script = instruction
    .getTextContent()
    .replace(/^RUN\s+/, '')
    .replaceAll('\\\n', '');
  const folder = await mkdtemp(join(tmpdir(), 'embedmill-run-'));
  try {
    for (const [name, text] of Object.entries(programs))
      await writeFile(join(folder, name), `#!/bin/sh\n${text}\n`, { mode: 0o755 });
    const env = { PATH: `${folder}:${process.env['PATH'] ?? ''}` };
    return await run('sh', ['-c', script], { cwd: folder, env }).then(
      ({ stdout, stderr }) => ({ code: 0, output: stdout + stderr }),
      ({ code, stdout, stderr }: { code: number; stdout: string; stderr: string }) => ({
        code,
        output: stdout + stderr,
      }),
    );
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

const FOUND = 'echo "libc.so.6 => /lib/libc.so.6"; echo "libcuda.so.1 => not found"';

test.each([
  ['everything but the driver is present', FOUND, 0, ''],
  ['a library is missing', `${FOUND}; echo "libcudnn.so.9 => not found"`, 1, 'libcudnn.so.9'],
  ['there are no CUDA libraries at all', 'echo "ldd: no such file" >&2; exit 1', 1, 'no such file'],
])('the CUDA image is built only if CUDA is present: %s', async (_name, ldd, code, output) => {
  const done = await runInstruction('needed=$(ldd', { ldd });
  expect(done).toEqual({ code, output: expect.stringContaining(output) });
});

test('the build fails if the installer installs no CUDA libraries, as on arm64', async () => {
  const done = await runInstruction('script/install.js', { node: 'exit 0' });
  expect(done).toEqual({ code: 1, output: expect.stringContaining('linux/amd64 only') });
});

/**
 * Lays out a folder like an image's /app: the targets of its COPYs, with the packages that `npm ci -w apps/APP`
 * installs.
 */
async function imageFolder(folder: string, app: 'api' | 'worker'): Promise<void> {
  for (const { from, source, target } of copiesOf(app)) {
    if (from === undefined) {
      await mkdir(join(folder, dirname(target)), { recursive: true });
      await symlink(join(ROOT, source), join(folder, target));
    } else if (source.endsWith('package.json')) {
      await mkdir(join(folder, dirname(target)), { recursive: true });
      await cp(join(ROOT, target), join(folder, target));
    } else if (source.endsWith('console/dist')) await buildConsole(join(folder, target));
    else if (source.endsWith(`apps/${app}/dist`)) await bundle(app, join(folder, target));
  }
  const removed = [...text.matchAll(/rm -rf (.+)$/gm)].flatMap(([, paths = '']) => paths.split(' '));
  const { stdout } = await run('npm', ['ls', '--omit=dev', '--all', '--parseable', '-w', `apps/${app}`], {
    cwd: ROOT,
  });
  for (const path of new Set(
    stdout
      .trim()
      .split('\n')
      .map((line) => relative(ROOT, line)),
  )) {
    const isPackage = path.startsWith('node_modules/') || path.startsWith(`apps/${app}/node_modules/`);
    if (!isPackage || removed.some((one) => `${path}/`.startsWith(`${one}/`))) continue;
    await mkdir(join(folder, dirname(path)), { recursive: true });
    // Parents come first and bring their contents with them.
    if (!existsSync(join(folder, path))) await symlink(join(ROOT, path), join(folder, path));
  }
}

async function buildConsole(outdir: string): Promise<void> {
  const options = ['build', '--logLevel', 'error', '--outDir', outdir, '--emptyOutDir'];
  await run(join(ROOT, 'node_modules/.bin/vite'), options, { cwd: join(ROOT, 'apps/console') });
}

async function bundle(app: 'api' | 'worker', outdir: string): Promise<void> {
  const folder = join(ROOT, 'apps', app);
  const { scripts } = JSON.parse(await readFile(join(folder, 'package.json'), 'utf8')) as {
    scripts: { build: string };
  };
  const [, script = '', ...entries] = scripts.build.split(' ');
  await run(process.execPath, [join(folder, script), '--outdir', outdir, ...entries], { cwd: folder });
}

interface Part {
  process: ChildProcess;
  output(): string;
  url: string;
}

/** Starts an image's command in its folder. Packages are resolved where they are linked, not where the links point. */
async function start(folder: string, app: 'api' | 'worker', env: Record<string, string>): Promise<Part> {
  const entrypoint = instructionsOf(app).find(({ keyword }) => keyword === 'ENTRYPOINT')!.args;
  const [, ...args] = JSON.parse(entrypoint) as string[];
  const child = spawn(process.execPath, ['--preserve-symlinks', '--preserve-symlinks-main', ...args], {
    cwd: folder,
    env: { PATH: process.env['PATH'] ?? '', ...env },
    stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
  });
  let output = '';
  for (const stream of [child.stdout, child.stderr])
    stream?.on('data', (chunk: Buffer) => (output += chunk.toString()));
  const ended = once(child, 'exit').then(([code]) => {
    throw new Error(`${app} ended with ${String(code)}:\n${output}`);
  });
  const [message] = (await Promise.race([once(child, 'message'), ended])) as [{ url: string }];
  ended.catch(() => {});
  return { process: child, output: () => output, url: message.url };
}

async function stop(part: Part | undefined): Promise<number | null | undefined> {
  if (part === undefined) return undefined;
  const { process: child } = part;
  if (child.exitCode === null && child.signalCode === null) {
    child.kill('SIGTERM');
    await once(child, 'exit');
  }
  return child.exitCode;
}

const qdrant = (await import(
  new URL('../../libs/vector-store/src/qdrant/fake-qdrant.ts', import.meta.url).href
)) as { startFakeQdrant(): Promise<{ url: string; violations: string[]; close(): Promise<void> }> };

test('from the images’ folders alone, a job goes from the API through a worker to the store', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'embedmill-images-'));
  const redis = await startTestRedis(['--maxmemory-policy', 'noeviction']);
  const store = await qdrant.startFakeQdrant();
  let api: Part | undefined;
  let worker: Part | undefined;
  try {
    for (const app of ['api', 'worker'] as const) {
      await mkdir(join(folder, app));
      await imageFolder(join(folder, app), app);
      expect(await readdir(join(folder, app, 'node_modules'))).not.toContain('@embedmill');
    }
    const env = { REDIS_URL: redis.url, QDRANT_URL: store.url, EMBEDMILL_DATA_DIR: join(folder, 'data') };
    api = await start(join(folder, 'api'), 'api', { ...env, EMBEDMILL_API_PORT: '0' });
    worker = await start(join(folder, 'worker'), 'worker', {
      ...env,
      EMBEDMILL_WORKER_PORT: '0',
      EMBEDMILL_WORKER_CPUS: '1',
    });
    const call = async (path: string, type: string, body: string): Promise<Record<string, unknown>> => {
      const answer = await fetch(new URL(path, api?.url), {
        method: 'POST',
        headers: { 'content-type': type },
        body,
      });
      const text = await answer.text();
      expect(answer.ok, `${path}: ${text}`).toBe(true);
      return JSON.parse(text) as Record<string, unknown>;
    };
    await call('/api/v1/collections', 'application/json', '{"name":"greetings"}');
    const { id } = await call(
      '/api/v1/collections/greetings/jobs',
      'application/x-ndjson',
      '{"id":"a","text":"good morning"}\n{"id":"b","text":"the price of copper"}\n',
    );
    for (const deadline = Date.now() + 60_000; ; await setTimeout(100)) {
      const job = (await (await fetch(new URL(`/api/v1/jobs/${String(id)}`, api.url))).json()) as {
        state: string;
      };
      if (job.state === 'completed') break;
      if (Date.now() > deadline || job.state === 'failed')
        throw new Error(`${JSON.stringify(job)}\n${api.output()}${worker.output()}`);
    }
    const { hits } = await call(
      '/api/v1/collections/greetings/search',
      'application/json',
      '{"query":"hello"}',
    );
    expect((hits as { id: string }[])[0]?.id).toBe('a');
    // Of the API's routes, clients reach these through the chart's ingress.
    const spec = (await (await fetch(new URL('/openapi.json', api.url))).json()) as { paths: object };
    const { paths } = parse(await readFile(join(ROOT, 'deploy/helm/embedmill/values.yaml'), 'utf8')) as {
      paths: string[];
    };
    const unreached = Object.keys(spec.paths).filter(
      (path) => !paths.some((prefix) => `${path}/`.startsWith(`${prefix}/`)),
    );
    expect(unreached.sort()).toEqual([
      '/',
      '/health',
      '/healthz',
      '/metrics',
      '/ping',
      '/readyz',
      '/startupz',
    ]);
    const models = join(folder, 'worker/apps/worker/dist/models.js');
    const args = ['--preserve-symlinks', '--preserve-symlinks-main', models, 'download', 'all-MiniLM-L6-v2'];
    const { stdout } = await run(process.execPath, args, {
      env: { ...env, PATH: process.env['PATH'] ?? '' },
    });
    expect(stdout).toContain('the model is available');
    const page = await fetch(new URL('/console/', api.url));
    expect([page.status, page.headers.get('content-type')]).toEqual([200, 'text/html; charset=utf-8']);
    // The map's thread is a separate bundle.
    await call('/api/v1/collections/greetings/map', 'application/json', '{"method":"pca"}');
    const map = async () =>
      (await (await fetch(new URL('/api/v1/collections/greetings/map', api?.url))).json()) as object;
    await expect.poll(map, { timeout: 60_000 }).toMatchObject({ state: 'ready', points: 2 });
    expect(store.violations).toEqual([]);
    expect([await stop(worker), await stop(api)]).toEqual([0, 0]);
  } finally {
    await stop(worker);
    await stop(api);
    await store.close();
    await redis.stop();
    await rm(folder, { recursive: true, force: true });
  }
});
