import { readFile } from 'node:fs/promises';
import { floatTensors, type FloatTensor } from './safetensors.ts';
import { torchTensors } from './torch-file.ts';

/** y = x·weights + bias. */
export interface LinearLayer {
  /** in × out, ready for a matrix product. */
  readonly weights: FloatTensor;
  /** out numbers. */
  readonly bias: FloatTensor | undefined;
}

/**
 * A linear layer as torch keeps it: `weight` [out, in] and, where there is one, `bias` [out], under any prefix
 * (`linear.weight` in Dense modules of sentence-transformers), in a safetensors file or a torch file (.pt, like
 * bge-m3's heads). Throws file-system errors, and a SyntaxError for any other content.
 */
export async function readLinearLayer(path: string): Promise<LinearLayer> {
  const file = await readFile(path);
  const tensors = [...(path.endsWith('.pt') ? torchTensors(file) : floatTensors(file))];
  const named = (name: string) =>
    tensors.filter(([key]) => key === name || key.endsWith(`.${name}`)).map(([, tensor]) => tensor);
  const [weights, ...more] = named('weight');
  const [bias] = named('bias');
  const [outputs, inputs, deeper] = weights?.dimensions ?? [];
  if (!weights || more.length > 0 || !outputs || !inputs || deeper !== undefined)
    throw new SyntaxError(`${path} is not a linear layer: it has ${tensors.map(([key]) => key).join(', ')}`);
  if (bias !== undefined && bias.values.length !== outputs)
    throw new SyntaxError(`${path} has a bias of ${bias.values.length} numbers for ${outputs} outputs`);
  return { weights: transposed(weights.values, outputs, inputs), bias };
}

function transposed(values: Float32Array, rows: number, columns: number): FloatTensor {
  const turned = new Float32Array(values.length);
  for (let row = 0; row < rows; row += 1) {
    for (let column = 0; column < columns; column += 1)
      turned[column * rows + row] = values[row * columns + column] ?? 0;
  }
  return { dimensions: [columns, rows], values: turned };
}
