import { existsSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import type { Config } from './config.ts';

interface Settings {
  config: Pick<Config, 'dataDir'>;
  environment: NodeJS.ProcessEnv;
}

/**
 * Where models are: the folder of the user's own, which `EMBEDMILL_MODELS_DIR` names, else one in the data folder, which
 * is made; and that of downloaded ones. What `up` tells its apps.
 */
export function modelFolders(settings: Settings): { modelsDir: string; cacheDir: string } {
  const { modelsDir, isGiven } = ownModels(settings);
  if (!isGiven) mkdirSync(modelsDir, { recursive: true, mode: 0o700 });
  return { modelsDir, cacheDir: cacheOf(settings) };
}

/** The same for who only reads what is there: nothing is made, and there may be no folder of the user's own. */
export function presentModelFolders(settings: Settings): { modelsDir: string | undefined; cacheDir: string } {
  const { modelsDir, isGiven } = ownModels(settings);
  const isThere = isGiven || existsSync(modelsDir);
  return { modelsDir: isThere ? modelsDir : undefined, cacheDir: cacheOf(settings) };
}

function ownModels({ config, environment }: Settings): { modelsDir: string; isGiven: boolean } {
  const given = environment['EMBEDMILL_MODELS_DIR'] || undefined;
  return { modelsDir: given ?? join(config.dataDir, 'own-models'), isGiven: given !== undefined };
}

function cacheOf({ config, environment }: Settings): string {
  return environment['EMBEDMILL_MODEL_CACHE_DIR'] || join(config.dataDir, 'models');
}
