/**
 * The process behind `embedmill bench`: does what its parent asks, one thing after the other, until it is gone.
 * It opens one yardstick, or calibrates; see `bench/` for what those are.
 */
import './heap.ts';
import { readFile } from 'node:fs/promises';
import { asEmbedmillError, parseDocument, profileSchema, type Document } from '@embedmill/jobs';
import { availableCpus } from '@embedmill/inference';
import {
  offeredFiles,
  resolveModel,
  type OfferedFile,
  type ResolvedModel,
  type ResolveOptions,
} from '@embedmill/models';
import { calibrate } from './bench/calibrate.ts';
import type { Effort } from './bench/measuring.ts';
import { openEncoder, openFixedBatches, openLimit, tokenized, type Yardstick } from './bench/yardsticks.ts';
import { machineFor, readCalibration, saveCalibration } from './calibration.ts';
import { readConfig, type WorkerConfig } from './config.ts';
import { calibratedPlan, planEngines, type EngineSettings } from './engine-plan.ts';

type Who = 'U' | 'E0' | 'N32' | 'N256';

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
      return calibrateModel(ask);
    case 'speed':
      return speedOf(ask.model);
    case 'open':
      yardstick = await open(ask);
      return { detail: yardstick.detail };
    case 'run':
      if (yardstick === undefined) throw new Error('nothing has been opened');
      return yardstick.run(ask.seconds);
    case 'latency':
      if (yardstick?.latency === undefined) throw new Error('what has been opened has no interactive lane');
      return yardstick.latency(ask.seconds);
  }
}

async function calibrateModel({
  model: name,
  corpus,
  files,
  minCosine,
  effort,
}: Extract<Ask, { kind: 'calibrate' }>) {
  const note = (text: string): void => void process.send?.({ kind: 'note', text });
  const options = resolveOptions(config);
  const { own, settings } = await ownModel(name);
  const { machine, modelCacheFolder } = settings;
  const resolved: { file: OfferedFile; model: ResolvedModel }[] = [];
  for (const [n, file] of (await offersWithin(own, files, options, note)).entries()) {
    if (n > 0) note(`getting ${file.path} (${Math.round(file.bytes / 1e6)} MB), if it is not here`);
    resolved.push({ file, model: n === 0 ? own : await resolveModel(name, { ...options, file }) });
  }
  const plan = planEngines(own, settings, undefined);
  const { sequences } = await tokenized(own, await readDocuments(corpus));
  const calibration = await calibrate({
    files: resolved,
    devices: plan.devices,
    machine,
    sequences,
    minCosine,
    effort,
    note,
  });
  return { calibration, path: await saveCalibration(modelCacheFolder, calibration) };
}

/** The model's own file, and of the others those that were asked for, else those that are no larger. */
async function offersWithin(
  own: ResolvedModel,
  paths: string[] | null,
  options: ResolveOptions,
  note: (text: string) => void,
): Promise<OfferedFile[]> {
  try {
    const offered = await offeredFiles(own.name, options);
    return offered.filter(
      ({ path, bytes }, n) => n === 0 || (paths?.includes(path) ?? bytes <= own.modelBytes * 1.05),
    );
  } catch (thrown) {
    note(`${asEmbedmillError(thrown).message}; its own file alone is tried`);
    return [{ ...own.model, bytes: own.modelBytes, data: own.data }];
  }
}

async function open({
  who,
  model: name,
  corpus,
  seconds,
}: Extract<Ask, { kind: 'open' }>): Promise<Yardstick> {
  const { own, settings } = await ownModel(name);
  const { model, plan } = await calibratedPlan(own, resolveOptions(config), settings);
  const input = { model, plan, documents: await readDocuments(corpus) };
  switch (who) {
    case 'U':
      return openLimit(input, seconds);
    case 'E0':
      return openEncoder(input);
    case 'N32':
      return openFixedBatches(input, 32);
    case 'N256':
      return openFixedBatches(input, 256);
  }
}

/** The model in its own file, and what its engines are to run on. */
async function ownModel(name: string): Promise<{ own: ResolvedModel; settings: EngineSettings }> {
  const { devices, cpus, modelCacheFolder, tensorrt, batchArea: area } = config;
  const machine = machineFor(devices[0].kind, cpus ?? availableCpus());
  const own = await resolveModel(name, resolveOptions(config));
  return { own, settings: { devices, machine, modelCacheFolder, tensorrt, area } };
}

async function speedOf(name: string): Promise<number | null> {
  const { own, settings } = await ownModel(name);
  const calibration = await readCalibration(settings.modelCacheFolder, own, settings.machine);
  return calibration?.tokensPerSecond ?? null;
}

function resolveOptions({ modelsFolder, modelCacheFolder, hubUrl }: WorkerConfig): ResolveOptions {
  return { modelsDir: modelsFolder, cacheDir: modelCacheFolder, hubUrl };
}

async function readDocuments(path: string): Promise<Document[]> {
  const lines = (await readFile(path, 'utf8')).trimEnd().split('\n');
  return lines.map((line, n) => {
    const parsed = parseDocument(JSON.parse(line), profileSchema.parse({}));
    if (!parsed.ok) throw new Error(`${path}, line ${n + 1}: ${parsed.error.message}`);
    if ('tombstone' in parsed) throw new Error(`${path}, line ${n + 1}: a tombstone is nothing to embed`);
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
