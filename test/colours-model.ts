import { copyFile, mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const FIXTURE = fileURLToPath(new URL('../libs/inference/fixtures/two-tower-colours', import.meta.url));
const DESCRIPTION = {
  dims: 32,
  pooling: 'cls',
  maxTokens: 77,
  model: { path: 'text_model.onnx' },
  vision: { model: { path: 'vision_model.onnx' }, size: 32, mean: [0, 0, 0], std: [1, 1, 1] },
};

/**
 * Adds the model `colours` to a models folder. It embeds images by their colours, and texts by the colours that they
 * name.
 */
export async function addColoursModel(models: string): Promise<void> {
  const folder = join(models, 'colours');
  await mkdir(folder, { recursive: true });
  for (const name of ['text_model.onnx', 'vision_model.onnx', 'tokenizer.json'])
    await copyFile(join(FIXTURE, name), join(folder, name));
  await writeFile(join(folder, 'embedmill.json'), JSON.stringify(DESCRIPTION));
}
