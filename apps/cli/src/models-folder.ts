import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import type { Config } from './config.ts';

/**
 * Where models are: the folder of the user's own, which `EMBEDMILL_MODELS_DIR` names, else one in the data folder, which
 * is made; and that of downloaded ones. What `up` tells its apps.
 */
export function modelFolders({
  config,
  environment,
}: {
  config: Pick<Config, 'dataDir'>;
  environment: NodeJS.ProcessEnv;
}): { modelsDir: string; cacheDir: string } {
  const given = environment['EMBEDMILL_MODELS_DIR'] || undefined;
  const modelsDir = given ?? join(config.dataDir, 'own-models');
  if (given === undefined) mkdirSync(modelsDir, { recursive: true, mode: 0o700 });
  const cacheDir = environment['EMBEDMILL_MODEL_CACHE_DIR'] || join(config.dataDir, 'models');
  return { modelsDir, cacheDir };
}
