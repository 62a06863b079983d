/**
 * Operations on models where there is no command line, such as in a pod:
 *
 *   node apps/worker/dist/models.js download [MODEL…]    downloads missing files of models
 *   node apps/worker/dist/models.js calibrate [MODEL…]   finds their fastest configuration on this machine, and stores it
 *
 * Settings are the worker's; without names, the models are those of EMBEDMILL_WORKER_MODELS. Both write to the folder
 * of downloaded models (EMBEDMILL_MODEL_CACHE_DIR), where workers find it.
 */
import './heap.ts';
import { fileURLToPath } from 'node:url';
import {
  asEmbedmillError,
  EmbedmillError,
  parseDocument,
  profileSchema,
  type Document,
} from '@embedmill/jobs';
import { createLog } from '@embedmill/logs';
import { resolveModel } from '@embedmill/models';
import { calibrateModel, resolveOptions } from './bench/calibrate-model.ts';
import { mixedTexts } from './bench/mixed-texts.ts';
import { readConfig } from './config.ts';

/** The texts for calibration, at the same path in the image and in a checkout. */
const WORDS = fileURLToPath(new URL('../../cli/demo/wordnet.ndjson', import.meta.url));
/** Enough texts of all lengths to fill a few of the largest batches. */
const DOCUMENTS = 2000;
/** The minimum similarity of another file's vectors to those of the model's own file. */
const MIN_COSINE = 0.999;

const log = createLog({ app: 'worker', level: 'info' });

try {
  const config = readConfig(process.env);
  const [command, ...named] = process.argv.slice(2);
  const models = named.length > 0 ? named : (config.models ?? []);
  if ((command !== 'download' && command !== 'calibrate') || models.length === 0)
    throw new EmbedmillError('invalid_config', 'usage: models.js download|calibrate MODEL…');
  const note = (text: string): void => log.info(text);
  const documents = command === 'calibrate' ? documentsOf(await mixedTexts(WORDS, DOCUMENTS)) : [];
  for (const model of models) {
    if (command === 'download') {
      const { revision, modelPath } = await resolveModel(model, resolveOptions(config));
      log.info({ model, revision, path: modelPath }, 'the model is available');
    } else {
      const wish = { documents, files: null, minCosine: MIN_COSINE, note };
      const { calibration, path } = await calibrateModel(config, model, wish);
      log.info({ ...calibration, path }, 'calibrated; workers use the result after their next start');
    }
  }
  process.exit(0);
} catch (thrown) {
  const { code, message } = asEmbedmillError(thrown);
  log.fatal({ code }, message);
  process.exit(1);
}

function documentsOf(texts: readonly string[]): Document[] {
  const profile = profileSchema.parse({});
  return texts.flatMap((text, n) => {
    const parsed = parseDocument({ id: `d${n}`, text }, profile);
    return parsed.ok && 'document' in parsed ? [parsed.document] : [];
  });
}
