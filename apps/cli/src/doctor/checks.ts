/** The checks of `doctor`. Each performs the real operation and reports the result or what to do. */
import { randomUUID } from 'node:crypto';
import { existsSync, mkdtempSync, rmSync, statfsSync, unlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { profileSchema } from '@embedmill/jobs';
import { resolveModel, type ResolvedModel } from '@embedmill/models';
import {
  openMilvusStore,
  openQdrantStore,
  openZvecStore,
  type StoreReport,
  type VectorStore,
} from '@embedmill/vector-store';
import { createClient } from '@embedmill/client';
import type { Context } from '../command-host.ts';
import { socketPath } from '../stack/data-folder.ts';
import { configuredDevices, otherDevices } from './device-checks.ts';
import { CommandError } from '../exit.ts';
import { presentModelFolders } from '../models-folder.ts';
import { canUnpackRedis, howToInstall, presentRedisProgram } from '@embedmill/redis-server';
import { describeQueue } from '@embedmill/queue';
import { askRedis } from '../stack/redis.ts';
import { bytes } from '../terminal/text.ts';

export interface Check {
  name: string;
  ok: boolean;
  detail: string;
}

type Settings = Pick<Context, 'config' | 'environment' | 'interruption' | 'address'>;

/** Runs the checks in order of importance and yields each result. */
export async function* runChecks(settings: Settings): AsyncGenerator<Check> {
  const { config, environment } = settings;
  yield await check('node', async () => nodeVersion());
  yield await check('data folder', async () => dataFolder(config.dataDir));
  yield await check('redis', () => redis(settings));
  yield await check('store', () => store(settings));
  const { model: name } = profileSchema.parse({});
  let model: ResolvedModel | undefined;
  yield await check('model', async () => {
    model = await resolveModel(name, {
      ...presentModelFolders(settings),
      signal: settings.interruption.signal,
    });
    return `${name}, sha256 ${model.sha256}`;
  });
  for (const { name, embed } of devicesOf(environment)) {
    yield await check(name, async () => embed(requireModel(model)));
  }
  yield await check('other devices', async () => otherDevices(environment, requireModel(model)));
  const address = settings.address();
  if (address === undefined) {
    yield {
      name: 'server',
      ok: true,
      detail: `none runs on ${config.dataDir}; start one with: npx embedmill up`,
    };
    return;
  }
  const client = createClient({
    url: address.url,
    apiKey: config.key,
    signal: settings.interruption.signal,
  });
  yield await check('server', async () => {
    const { ok, parts } = await client.readiness();
    const states = Object.entries(parts).map(
      ([part, state]) =>
        `${part} ${state.ok ? 'ok' : 'not ok'}${state.detail === undefined ? '' : ` (${state.detail})`}`,
    );
    const detail = `${address.url}, by ${address.from}: ${states.join(', ')}`;
    if (!ok) throw new CommandError(`not ready: ${detail}`);
    return detail;
  });
  yield await check('server embeds', async () => {
    const [vector] = await client.embed(['a short text'], { model: name });
    return `${address.url}/v1/embeddings turned a text into ${vector?.length ?? 0} numbers`;
  });
}

async function check(name: string, look: () => Promise<string>): Promise<Check> {
  try {
    return { name, ok: true, detail: await look() };
  } catch (error) {
    return { name, ok: false, detail: error instanceof Error ? error.message : String(error) };
  }
}

function nodeVersion(): string {
  if (Number(process.versions.node.split('.')[0]) < 22)
    throw new CommandError('Node 22 or newer is required');
  return `${process.version} on ${process.platform} ${process.arch}`;
}

/** If it does not exist yet, `up` must be able to create it. */
function dataFolder(folder: string): string {
  let existing = folder;
  while (!existsSync(existing)) existing = dirname(existing);
  const probe = join(existing, `.embedmill-${randomUUID()}`);
  try {
    writeFileSync(probe, '');
    unlinkSync(probe);
  } catch (error) {
    throw new CommandError(
      `${existing} cannot be written (${(error as Error).message}); choose another with --data`,
    );
  }
  const { bavail, bsize } = statfsSync(existing);
  return `${folder} ${existing === folder ? 'is writable' : 'can be created'}, ${bytes(bavail * bsize)} free`;
}

async function redis({ config }: Settings): Promise<string> {
  if (config.queue !== undefined) return describeQueue(config.queue, 5000);
  const own = await askRedis(socketPath(config.dataDir, 'redis', 'redis.sock'), 2000).catch(() => undefined);
  if (own !== undefined) return `Redis ${own.version} runs for this data folder, ${own.evictionPolicy}`;
  const program = presentRedisProgram(join(config.dataDir, 'redis-package'));
  if (program !== undefined) return `${program.path}${program.origin === 'package' ? ' (unpacked)' : ''}`;
  if (canUnpackRedis())
    return 'no redis-server on the PATH; "up" will unpack Debian’s package into the data folder';
  throw new CommandError(`there is no redis-server here; ${howToInstall()}`);
}

async function store({ config, environment }: Settings): Promise<string> {
  if (config.qdrantUrl !== undefined) {
    const qdrant = await openQdrantStore({
      url: config.qdrantUrl,
      apiKey: environment['QDRANT_API_KEY'] || undefined,
    });
    return described(qdrant);
  }
  if (config.milvus !== undefined) return described(await openMilvusStore(config.milvus));
  const folder = mkdtempSync(join(tmpdir(), 'embedmill-doctor-'));
  try {
    const zvec = await openZvecStore(folder);
    await zvec.ping();
    await zvec.close();
    return 'zvec loads on this machine';
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

async function described(
  server: Pick<VectorStore, 'description' | 'ping' | 'close'> & { report(): Promise<StoreReport> },
): Promise<string> {
  try {
    await server.ping();
    const { version, collections, remarks } = await server.report();
    const many = `${collections} ${collections === 1 ? 'collection' : 'collections'}`;
    const found = `${server.description}, version ${version ?? 'not told'}, ${many}`;
    return [found, ...remarks].join('; ');
  } finally {
    await server.close();
  }
}

/** An invalid setting is a failed check. */
function devicesOf(environment: NodeJS.ProcessEnv): ReturnType<typeof configuredDevices> {
  try {
    return configuredDevices(environment);
  } catch (error) {
    return [{ name: 'inference', embed: () => Promise.reject(error) }];
  }
}

function requireModel(model: ResolvedModel | undefined): ResolvedModel {
  if (model === undefined) throw new CommandError('there is no model to run');
  return model;
}
