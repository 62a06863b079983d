/**
 * The process behind `embedmill bench`: executes its parent's requests one after the other until the parent is gone. It
 * opens one yardstick, or calibrates; see `bench/`.
 */
import './heap.ts';
import { readFile } from 'node:fs/promises';
import { calibratedPlan, readCalibration } from '@embedmill/embed/pipeline';
import { asEmbedmillError, parseDocument, profileSchema, type Document } from '@embedmill/jobs';
import { calibrateModel, ownModel, resolveOptions } from './bench/calibrate-model.ts';
import type { Effort } from './bench/measuring.ts';
import { openEncoder, openFixedBatches, openLimit, openPackage, type Yardstick } from './bench/yardsticks.ts';
import { readConfig } from './config.ts';

type Who = 'U' | 'E0' | 'P' | 'N32' | 'N256';

type Ask =
  | {
      kind: 'calibrate';
      model: string;
      corpus: string;
      files: string[] | null;
      minCosine: number;
      effort: Effort;
    }
  | { kind: 'speed'; model: string }
  | { kind: 'open'; who: Who; model: string; corpus: string; seconds: number }
  | { kind: 'run'; seconds: number }
  | { kind: 'latency'; seconds: number };

const config = readConfig(process.env);
let yardstick: Yardstick | undefined;

async function answer(ask: Ask): Promise<unknown> {
  switch (ask.kind) {
    case 'calibrate':
      return calibrateHere(ask);
    case 'speed':
      return speedOf(ask.model);
    case 'open':
      yardstick = await open(ask);
      return { detail: yardstick.detail };
    case 'run':
      if (yardstick === undefined) throw new Error('no session has been opened');
      return yardstick.run(ask.seconds);
    case 'latency':
      if (yardstick?.latency === undefined) throw new Error('the open session has no interactive lane');
      return yardstick.latency(ask.seconds);
  }
}

async function calibrateHere({
  model,
  corpus,
  files,
  minCosine,
  effort,
}: Extract<Ask, { kind: 'calibrate' }>) {
  const note = (text: string): void => void process.send?.({ kind: 'note', text });
  const documents = await readDocuments(corpus);
  return calibrateModel(config, model, { documents, files, minCosine, effort, note });
}

async function open({
  who,
  model: name,
  corpus,
  seconds,
}: Extract<Ask, { kind: 'open' }>): Promise<Yardstick> {
  const { own, settings } = await ownModel(config, name);
  const { model, plan } = await calibratedPlan(own, resolveOptions(config), settings);
  const input = { model, plan, documents: await readDocuments(corpus) };
  switch (who) {
    case 'U':
      return openLimit(input, seconds);
    case 'E0':
      return openEncoder(input);
    case 'P':
      return openPackage(input);
    case 'N32':
      return openFixedBatches(input, 32);
    case 'N256':
      return openFixedBatches(input, 256);
  }
}

async function speedOf(name: string): Promise<number | null> {
  const { own, settings } = await ownModel(config, name);
  const calibration = await readCalibration(settings.modelCacheFolder, own, settings.machine);
  return calibration?.tokensPerSecond ?? null;
}

async function readDocuments(path: string): Promise<Document[]> {
  const lines = (await readFile(path, 'utf8')).trimEnd().split('\n');
  return lines.map((line, n) => {
    const parsed = parseDocument(JSON.parse(line), profileSchema.parse({}));
    if (!parsed.ok) throw new Error(`${path}, line ${n + 1}: ${parsed.error.message}`);
    if ('tombstone' in parsed) throw new Error(`${path}, line ${n + 1}: a tombstone cannot be embedded`);
    return parsed.document;
  });
}

process.on('disconnect', () => process.exit(0));
// Ctrl-C reaches the whole group; the parent decides.
process.on('SIGINT', () => undefined);
process.on('message', (ask: Ask) => {
  void answer(ask)
    .then((result) => ({ kind: 'done', result }))
    .catch((thrown: unknown) => ({ kind: 'failed', message: asEmbedmillError(thrown).message }))
    .then((said) => process.send?.(said));
});
