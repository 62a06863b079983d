import { existsSync, readdirSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { profileSchema } from '@embedmill/jobs';
import { listModels, resolveModel } from '@embedmill/models';
import { Tokenizer } from '@embedmill/tokenization';
import type { Context } from '../command-host.ts';
import { DEMO_DOCUMENTS } from '../entries.ts';
import { presentModelFolders } from '../models-folder.ts';
import { CorpusMaker } from './corpora.ts';

/** A checkout of the project may have more models beside it, which its tests also use. */
const BESIDE_CHECKOUT = join(dirname(DEMO_DOCUMENTS.english), '../../../../shared');

/**
 * The environment of a benchmark's processes: they use the folders of `up`, whatever folder this runs in. If the user
 * has no models of their own, those beside the checkout are used.
 */
export function benchEnvironment(context: Pick<Context, 'config' | 'environment'>): NodeJS.ProcessEnv {
  const { config, environment } = context;
  const shared = join(environment['EMBEDMILL_SHARED'] || BESIDE_CHECKOUT, 'models');
  const { modelsDir, cacheDir } = presentModelFolders(context);
  const hasOwn = modelsDir !== undefined && readdirSync(modelsDir).length > 0;
  const usual = existsSync(shared) ? shared : '';
  return {
    ...environment,
    EMBEDMILL_DATA_DIR: config.dataDir,
    EMBEDMILL_MODELS_DIR: hasOwn ? modelsDir : usual,
    EMBEDMILL_MODEL_CACHE_DIR: cacheDir,
  };
}

/** The wanted models that are on this machine. */
export async function presentModels(environment: NodeJS.ProcessEnv, wanted: string[]): Promise<string[]> {
  const listed = await listModels(foldersOf(environment));
  return wanted.filter((name) => listed.some((model) => model.name === name && model.available));
}

/** Makes corpora by the bundled model's tokenizer, so that every model gets the same texts. */
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
