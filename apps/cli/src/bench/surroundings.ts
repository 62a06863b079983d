import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { profileSchema } from '@embedmill/jobs';
import { listModels, resolveModel } from '@embedmill/models';
import { Tokenizer } from '@embedmill/tokenization';
import type { Context } from '../command-host.ts';
import { DEMO_DOCUMENTS } from '../entries.ts';
import { CorpusMaker } from './corpora.ts';

/** A checkout of the project may have more models beside it, which its tests use as well. */
const BESIDE_CHECKOUT = join(dirname(DEMO_DOCUMENTS.english), '../../../../shared');

/** Which models there are for a benchmark, and what its processes inherit: the caches of `up`, in any folder. */
export function benchEnvironment({ config, environment }: Context): NodeJS.ProcessEnv {
  const shared = join(environment['EMBEDMILL_SHARED'] || BESIDE_CHECKOUT, 'models');
  const usual = existsSync(shared) ? shared : '';
  return {
    ...environment,
    EMBEDMILL_DATA_DIR: config.dataDir,
    EMBEDMILL_MODELS_DIR: environment['EMBEDMILL_MODELS_DIR'] || usual,
    EMBEDMILL_MODEL_CACHE_DIR: environment['EMBEDMILL_MODEL_CACHE_DIR'] || join(config.dataDir, 'models'),
  };
}

/** Of the models that figures are kept for, those that are on this machine. */
export async function presentModels(environment: NodeJS.ProcessEnv, wanted: string[]): Promise<string[]> {
  const listed = await listModels(foldersOf(environment));
  return wanted.filter((name) => listed.some((model) => model.name === name && model.available));
}

/** Corpora by the bundled model's tokenizer, so that they are the same texts for every model. */
export async function loadCorpusMaker(environment: NodeJS.ProcessEnv): Promise<CorpusMaker> {
  const { tokenizerPath: path, maxTokens } = await resolveModel(
    profileSchema.parse({}).model,
    foldersOf(environment),
  );
  return CorpusMaker.load(await Tokenizer.load({ path, maxTokens }));
}

function foldersOf(environment: NodeJS.ProcessEnv) {
  return {
    modelsDir: environment['EMBEDMILL_MODELS_DIR'] || undefined,
    cacheDir: environment['EMBEDMILL_MODEL_CACHE_DIR'] ?? '',
  };
}
