import { hash } from 'node:crypto';
import { existsSync, readFileSync, statSync } from 'node:fs';
import { readFile, rm } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import type { Command } from 'commander';
import { availableCpus, engineModel, probeGraph, RUNTIME_VERSION } from '@embedmill/inference';
import {
  addModel,
  listModels,
  readModelAt,
  resolveFound,
  resolveModel,
  type ModelFolders,
  type ResolvedModel,
} from '@embedmill/models';
import { quantizeModel, type QuantizedModel, type Stage } from '@embedmill/quantization';
import { Tokenizer } from '@embedmill/tokenization';
import type { CommandHost, Context } from '../command-host.ts';
import { CommandError, EXIT, usageError, type ExitCode } from '../exit.ts';
import { modelFolders } from '../models-folder.ts';
import { numberBetween } from '../options/option-values.ts';
import { readCalibrationTexts } from '../quantization/calibration-texts.ts';
import { compare, type Comparison } from '../quantization/comparison.ts';
import { writeQuantizedFolder } from '../quantization/quantized-folder.ts';
import { batchesOf } from '../quantization/token-batches.ts';
import { bytes, grouped } from '../terminal/text.ts';

interface QuantizeOptions {
  calibrate: string;
  name?: string;
  file?: string;
  minCosine: number;
}

/** Padded tokens of a batch whose tensors are looked at: all of a layer's are in memory at once. */
const AREA = 1024;
/** A protobuf has no more. */
const MOST_BYTES = 2 ** 31 - 1;

export function addQuantize(program: Command, host: CommandHost): void {
  program
    .command('quantize')
    .description(
      'make a static int8 version of an encoder: faster on CPUs, with the same vectors in any batch',
    )
    .argument('<model>', 'a float32 model: a name listed by "embedmill models", or a folder')
    .requiredOption(
      '--calibrate <file>',
      'at least 64 texts like those that it will embed: documents as NDJSON, or one text per line',
    )
    .option('--name <name>', 'its name for collections; by default the model’s name followed by -int8')
    .option('--file <path>', 'for a folder: which of its ONNX files to use')
    .option(
      '--min-cosine <number>',
      'the least mean cosine to the float32 vectors; below it, the model is not added',
      numberBetween(0, 1),
      0.98,
    )
    .action((model: string, options: QuantizeOptions) =>
      host.run((context) => quantize(model, options, context)),
    );
}

async function quantize(place: string, options: QuantizeOptions, context: Context): Promise<ExitCode> {
  const { terminal, interruption } = context;
  const { signal } = interruption;
  const folders = modelFolders(context);
  const texts = await readCalibrationTexts(options.calibrate);
  const original = await originalOf(place, options, context);
  const name = options.name ?? `${original.name}-int8`;
  await assertNameIsFree(name, folders);

  const { tokenizerPath: path, maxTokens, queryPrefix, documentPrefix } = original;
  const tokenizer = await Tokenizer.load({ path, maxTokens, queryPrefix, documentPrefix });
  const sequencesOf = async (some: string[]) =>
    (await tokenizer.encode(some, 'document')).map(({ ids }) => Uint32Array.from(ids));
  const sequences = await sequencesOf(texts.calibration);
  const tokens = sequences.reduce((sum, { length }) => sum + length, 0);
  terminal.print(`model    ${original.name}, ${bytes(original.modelBytes)}`);
  terminal.print(
    `texts    ${grouped(texts.calibration.length)} for calibration, ${grouped(tokens)} tokens; ${grouped(texts.judgment.length)} others for evaluation`,
  );
  const made = await quantized(original, sequences, context);

  const calibration = {
    sha256: hash('sha256', await readFile(options.calibrate)),
    texts: texts.calibration.length,
    tokens,
  };
  const source = { name: original.name, sha256: original.sha256 };
  const provenance = { source, calibration, onnxruntime: RUNTIME_VERSION };
  const folder = await writeQuantizedFolder(folders.modelsDir, name, {
    model: made.model,
    original,
    provenance,
  });
  let isAdded = false;
  try {
    const found = await readModelAt({ kind: 'folder', path: folder }, { name }, folders);
    const after = await resolveFound(found, folders);
    terminal.note('comparing; other work on this machine would distort the rates');
    const comparison = await compare(original, after, await sequencesOf(texts.judgment), signal);
    for (const line of linesOf(comparison, made, original)) terminal.print(line);
    if (comparison.meanCosine < options.minCosine)
      throw new CommandError(
        `the mean cosine to float32, ${comparison.meanCosine.toFixed(4)}, is below ${options.minCosine}, so ${name} was not added; calibrate with more texts like those that it will embed, or lower --min-cosine`,
      );
    const list = await addModel(found, folders.modelsDir);
    isAdded = true;
    terminal.print(
      `added    ${name} to ${list}; other machines with workers also need its folder, ${folder}`,
    );
    terminal.print(`use it   embedmill collections create NAME --model ${name}`);
    if (terminal.json)
      terminal.printJson({
        model: name,
        folder,
        layers: made.layers,
        bytes: made.model.length,
        ...comparison,
      });
    return EXIT.ok;
  } finally {
    if (!isAdded) await rm(folder, { recursive: true, force: true });
  }
}

/** The model that is meant, its files here. Throws where it is of a kind that is not quantized. */
async function originalOf(
  place: string,
  { file }: QuantizeOptions,
  context: Context,
): Promise<ResolvedModel> {
  const { environment, interruption } = context;
  const told = {
    ...modelFolders(context),
    hubUrl: environment['EMBEDMILL_HUB_URL'] || undefined,
    signal: interruption.signal,
  };
  const isFolder = existsSync(place) && statSync(place).isDirectory();
  if (!isFolder && file !== undefined) throw usageError('--file applies only to a folder');
  const original = isFolder
    ? await resolveFound(await readModelAt({ kind: 'folder', path: place }, { file }, told), told)
    : await resolveModel(place, told);
  if (original.kind !== 'dense')
    throw unfit(original, `it is a ${original.kind} model; only dense models can be quantized`);
  if (original.pooling === 'last')
    throw unfit(
      original,
      'it is a decoder (it pools the last token); only encoders such as BERT can be quantized',
    );
  if (original.modelBytes > MOST_BYTES)
    throw unfit(original, `it has ${bytes(original.modelBytes)}; at most 2 GB can be quantized`);
  return original;
}

async function quantized(
  original: ResolvedModel,
  sequences: readonly Uint32Array[],
  { terminal, interruption }: Context,
): Promise<QuantizedModel> {
  const batches = batchesOf(sequences, AREA);
  const about = {
    model: engineModel(original),
    batches,
    threads: availableCpus(),
    signal: interruption.signal,
  };
  const onStage = (stage: Stage): void =>
    terminal.note(
      stage.kind === 'observing'
        ? 'observing the inputs of its layers …'
        : `choosing the rounding of ${stage.layers} layers …`,
    );
  const external = (location: string, offset: number, length: number | undefined): Uint8Array =>
    readFileSync(join(dirname(original.modelPath), location)).subarray(
      offset,
      length === undefined ? undefined : offset + length,
    );
  try {
    return await quantizeModel(await readFile(original.modelPath), {
      run: (model, tensors, take) => probeGraph({ ...about, bytes: model, tensors }, take),
      external,
      onStage,
    });
  } catch (thrown) {
    if (thrown instanceof RangeError || thrown instanceof SyntaxError) throw unfit(original, thrown.message);
    throw thrown;
  }
}

async function assertNameIsFree(name: string, folders: ModelFolders & { modelsDir: string }): Promise<void> {
  const isValid = /^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$/.test(name);
  if (!isValid) throw usageError(`${name} is not a valid model name: use letters, digits, ".", "_" and "-"`);
  const known = await listModels(folders);
  if (existsSync(resolve(folders.modelsDir, name)) || known.some((model) => model.name === name))
    throw new CommandError(`the model ${name} already exists; choose another name with --name`);
}

function linesOf(
  { texts, leastCosine, meanCosine, sameNearest, invariant, tried, tokensPerSecond, speedup }: Comparison,
  { layers, model }: QuantizedModel,
  original: ResolvedModel,
): string[] {
  const { before, after } = tokensPerSecond;
  return [
    `layers   ${layers} in int8`,
    `cosine   to float32, of ${texts} texts: ${leastCosine.toFixed(4)} least, ${meanCosine.toFixed(4)} on average`,
    `nearest  ${(sameNearest * 100).toFixed(1)} % of each text’s 10 nearest neighbours are the same`,
    `batches  ${invariant} of ${tried} vectors are bit-identical alone and in a batch`,
    `speed    ${grouped(Math.round(after))} tokens/s, float32 ${grouped(Math.round(before))}: ${speedup.toFixed(2)} times`,
    `size     ${bytes(model.length)}, float32 ${bytes(original.modelBytes)}`,
  ];
}

function unfit({ name }: ResolvedModel, reason: string): CommandError {
  return new CommandError(`${name} cannot be quantized: ${reason}`);
}
