/** A folder of the models folder with a quantized model: its file, and all else that its original has. */
import { copyFile, mkdir, rename, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { ModelEntry, ResolvedModel } from '@embedmill/models';

export interface QuantizedFolder {
  model: Uint8Array;
  original: ResolvedModel;
  /** What is known of how it came to be, for whoever reads the folder later. */
  provenance: unknown;
}

/** Writes it beside its place first, so that nobody finds the half of it. Gives the folder's path. */
export async function writeQuantizedFolder(
  modelsDir: string,
  name: string,
  { model, original, provenance }: QuantizedFolder,
): Promise<string> {
  const folder = join(modelsDir, name);
  const unfinished = join(modelsDir, `.${name}.unfinished`);
  await rm(unfinished, { recursive: true, force: true });
  await mkdir(unfinished, { recursive: true });
  await writeFile(join(unfinished, 'model.onnx'), model);
  await copyFile(original.tokenizerPath, join(unfinished, 'tokenizer.json'));
  for (const [path, from] of original.layerPaths) {
    await mkdir(dirname(join(unfinished, path)), { recursive: true });
    await copyFile(from, join(unfinished, path));
  }
  await writeJson(join(unfinished, 'embedmill.json'), factsOf(original));
  await writeJson(join(unfinished, 'quantization.json'), provenance);
  await rename(unfinished, folder);
  return folder;
}

/** All that the original's entry says but where its files are. */
function factsOf(entry: ResolvedModel): Partial<ModelEntry> {
  const elsewhere = new Set([
    ...['name', 'source', 'model', 'data', 'tokenizer', 'vision', 'batchArea'],
    ...['modelPath', 'modelBytes', 'tokenizerPath', 'revision', 'sha256', 'visionPath', 'layerPaths'],
  ]);
  const facts = Object.entries(entry).filter(([key, value]) => !elsewhere.has(key) && value !== undefined);
  return { ...Object.fromEntries(facts), batchInvariant: true };
}

function writeJson(path: string, value: unknown): Promise<void> {
  return writeFile(path, `${JSON.stringify(value, null, 2)}\n`);
}
