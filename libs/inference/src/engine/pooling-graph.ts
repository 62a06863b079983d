import { open } from 'node:fs/promises';
import { additionBytes, ELEMENT, graphOutputs, type GraphAddition, type GraphOutput } from './onnx-file.ts';

/** float32 [sequences, 2, longest]: 1 where a token is real, in both rows. Filled by `Feeds`. */
export const POOLING_MASK = 'embedmill_pooling_mask';
/** float32 [sequences, dims]: for `mean` the sum of the real tokens' vectors, for `cls` the first one's. */
export const POOLED = 'embedmill_pooled';

/** Names that token vectors have in exporters' graphs, best first. */
const TOKEN_OUTPUTS = ['last_hidden_state', 'token_embeddings'];

/** More than an addition takes. */
const ROOM_BYTES = 4096;

/**
 * A model file, with the pooling as part of its graph where its vectors come by token: a vector a sequence is all
 * that then has to leave the device, instead of one a token. A model that pools by itself stays as it is. Throws
 * what reading a file throws, and a SyntaxError when it is no ONNX file.
 *
 * The same bits alone and in any batch: the sum is a matrix product, which ONNX Runtime adds up token after token
 * from the first, so that padding behind adds zeros to a finished sum. The mask has two equal rows because its
 * kernel for a single row adds up in groups that depend on the length.
 */
export async function readPooledModel(path: string, pooling: 'mean' | 'cls'): Promise<Uint8Array> {
  const file = await open(path);
  try {
    const { size } = await file.stat();
    // One buffer for both: the model may take much of what memory there is.
    const bytes = Buffer.allocUnsafeSlow(size + ROOM_BYTES);
    for (let at = 0; at < size;) {
      const { bytesRead } = await file.read(bytes, at, Math.min(size - at, 2 ** 30), at);
      if (bytesRead === 0) throw new Error('the file became shorter while it was read');
      at += bytesRead;
    }
    const tokens = tokenOutput(graphOutputs(bytes.subarray(0, size)));
    if (tokens === undefined) return bytes.subarray(0, size);
    const addition = additionBytes(additionFor(tokens.name, pooling));
    return bytes.subarray(0, size + addition.copy(bytes, size));
  } finally {
    await file.close();
  }
}

function tokenOutput(outputs: readonly GraphOutput[]): GraphOutput | undefined {
  const byName = TOKEN_OUTPUTS.flatMap((name) => outputs.find((output) => output.name === name) ?? []);
  return (
    byName.find(({ rank }) => rank === 3 || rank === undefined) ?? outputs.find(({ rank }) => rank === 3)
  );
}

function additionFor(tokens: string, pooling: 'mean' | 'cls'): GraphAddition {
  const states = 'embedmill_states';
  const both = 'embedmill_sums';
  const first = 'embedmill_first';
  const cast = {
    operator: 'Cast',
    inputs: [tokens],
    outputs: [states],
    attributes: { to: ELEMENT.float32 },
  };
  const pick = (from: string) => ({
    operator: 'Gather',
    inputs: [from, first],
    outputs: [POOLED],
    attributes: { axis: 1 },
  });
  const rest = {
    outputs: [{ name: POOLED, dimensions: ['sequences', 'dims'] }],
    scalars: [{ name: first, value: 0 }],
  };
  switch (pooling) {
    case 'cls':
      return { ...rest, inputs: [], nodes: [cast, pick(states)] };
    case 'mean':
      return {
        ...rest,
        inputs: [{ name: POOLING_MASK, dimensions: ['sequences', 'rows', 'tokens'] }],
        nodes: [cast, { operator: 'MatMul', inputs: [POOLING_MASK, states], outputs: [both] }, pick(both)],
      };
  }
}
