import { access, constants } from 'node:fs/promises';
import type * as onnxruntime from 'onnxruntime-node';
import type { InferenceSession, Tensor } from 'onnxruntime-node';
import { EmbedmillError } from '@embedmill/jobs';
import type { EngineBatch, EngineOutput, EngineResult } from '../engine.ts';
import { isOutOfMemory, messageOf } from './ort-error.ts';
import { normalizeRows } from './pooling.ts';
import type { ImageModel, SessionTuning } from './protocol.ts';
import { sessionOptions } from './session-options.ts';

/** Exporters' names for an image's vector; first the one in the texts' embedding space. */
const IMAGE_OUTPUTS = ['image_embeds', 'image_embedding', 'pooler_output'];

/** A loaded image tower, ready to run. One run at a time, because the buffer is reused. */
export class ImageSession {
  readonly dims: number;
  readonly outputs: readonly EngineOutput[] = ['dense'];
  readonly #Tensor: typeof Tensor;
  readonly #session: InferenceSession;
  readonly #input: string;
  readonly #output: string;
  readonly #model: ImageModel;
  readonly #values: Float32Array[];
  /** Grows to the largest batch so far. */
  #buffer = new Float32Array(0);

  private constructor(ort: typeof onnxruntime, session: InferenceSession, model: ImageModel, dims: number) {
    this.dims = dims;
    this.#Tensor = ort.Tensor;
    this.#session = session;
    this.#input = inputOf(session.inputMetadata, model);
    this.#output = outputOf(session.outputMetadata);
    this.#model = model;
    this.#values = valuesOf(model);
  }

  /**
   * Loads an image tower and runs it once. Throws `model_unavailable` if the file, the runtime or the device is
   * unavailable, `model_corrupt` if embedmill cannot use the file as an image tower.
   */
  static async load(
    model: ImageModel,
    tuning: Pick<SessionTuning, 'device' | 'graph'>,
  ): Promise<ImageSession> {
    await access(model.path, constants.R_OK).catch((cause: unknown) => {
      const message = `the image model’s file cannot be read: ${messageOf(cause)}`;
      throw new EmbedmillError('model_unavailable', message, { cause });
    });
    // Imported only here: the processes that start engines must not load the native library.
    const ort = await import('onnxruntime-node').catch((cause: unknown) => {
      const message = `ONNX Runtime cannot be loaded: ${messageOf(cause)}`;
      throw new EmbedmillError('model_unavailable', message, { cause });
    });
    try {
      const session = await ort.InferenceSession.create(model.path, sessionOptions(model, tuning));
      const untried = new ImageSession(ort, session, model, 0);
      const { length: dims } = await untried.#embed(new Uint8Array(untried.#bytesOf(1)), 1);
      if (model.dims !== undefined && model.dims !== dims) {
        throw new EmbedmillError(
          'model_corrupt',
          `the image model gives vectors of ${dims} numbers, but its entry says ${model.dims}`,
        );
      }
      return new ImageSession(ort, session, model, dims);
    } catch (thrown) {
      if (thrown instanceof EmbedmillError) throw thrown;
      // On a device other than the CPU, the error does not tell whether the file or the device is at fault.
      const code =
        tuning.device.kind === 'cpu' && !isOutOfMemory(thrown) ? 'model_corrupt' : 'model_unavailable';
      const message = `${model.path} cannot be loaded as an image model: ${messageOf(thrown)}`;
      throw new EmbedmillError(code, message, { cause: thrown });
    }
  }

  /** The vectors of a batch's `pixels`. Throws what ONNX Runtime throws. */
  async run({ pixels = new Uint8Array(), lengths }: EngineBatch): Promise<Omit<EngineResult, 'seconds'>> {
    return { vectors: await this.embed(pixels, lengths.length) };
  }

  /**
   * The vectors of `count` images, concatenated: count × dims. `pixels`: count × size × size × 3 bytes, rows from the
   * top, RGB. Throws what ONNX Runtime throws.
   */
  async embed(pixels: Uint8Array, count: number): Promise<Float32Array> {
    if (pixels.length !== this.#bytesOf(count)) {
      const { size } = this.#model;
      const message = `${pixels.length} bytes are not ${count} images of ${size} × ${size} pixels`;
      throw new EmbedmillError('engine_failed', message);
    }
    const vectors = await this.#embed(pixels, count);
    return this.#model.normalize ? normalizeRows(vectors, this.dims) : vectors;
  }

  async #embed(pixels: Uint8Array, count: number): Promise<Float32Array> {
    const { size } = this.#model;
    if (this.#buffer.length < pixels.length) this.#buffer = new Float32Array(pixels.length);
    const values = this.#buffer.subarray(0, pixels.length);
    writePlanes(values, pixels, size * size, this.#values);
    const feeds = { [this.#input]: new this.#Tensor('float32', values, [count, 3, size, size]) };
    const { [this.#output]: tensor } = await this.#session.run(feeds, [this.#output]);
    const vectors = (tensor?.data as Float32Array).slice();
    tensor?.dispose();
    return vectors;
  }

  #bytesOf(count: number): number {
    return count * this.#model.size ** 2 * 3;
  }
}

/** For each channel, the normalised value of each byte. */
function valuesOf({ mean, std }: ImageModel): Float32Array[] {
  return mean.map((average, channel) =>
    Float32Array.from({ length: 256 }, (_, byte) => (byte / 255 - average) / (std[channel] ?? 1)),
  );
}

/** Converts interleaved RGB pixels to planes: red, then green, then blue. */
function writePlanes(target: Float32Array, pixels: Uint8Array, area: number, values: Float32Array[]): void {
  for (let image = 0; image < pixels.length; image += area * 3) {
    for (const [channel, value] of values.entries()) {
      const plane = image + channel * area;
      let from = image + channel;
      for (let pixel = 0; pixel < area; pixel += 1, from += 3) {
        target[plane + pixel] = value[pixels[from] ?? 0] ?? 0;
      }
    }
  }
}

function inputOf(metadata: readonly InferenceSession.ValueMetadata[], { size }: ImageModel): string {
  const [input, ...others] = metadata;
  if (input?.isTensor !== true || input.type !== 'float32' || input.shape.length !== 4 || others.length > 0) {
    const names = metadata.map(({ name }) => name).join(', ');
    throw new EmbedmillError(
      'model_corrupt',
      `an image model has one input, float32 [images, 3, height, width]; this one’s are ${names}`,
    );
  }
  // Dynamic dimensions are names, not numbers.
  const wanted = [undefined, 3, size, size];
  if (input.shape.some((length, n) => typeof length === 'number' && n > 0 && length !== wanted[n])) {
    const shape = input.shape.join(' × ');
    throw new EmbedmillError(
      'model_corrupt',
      `the image model takes ${shape}, not images of ${size} × ${size}`,
    );
  }
  return input.name;
}

function outputOf(metadata: readonly InferenceSession.ValueMetadata[]): string {
  const outputs = metadata.flatMap((output) =>
    output.isTensor && output.type === 'float32' && output.shape.length === 2 ? [output.name] : [],
  );
  const output = IMAGE_OUTPUTS.find((name) => outputs.includes(name)) ?? outputs[0];
  if (output !== undefined) return output;
  const names = metadata.map(({ name }) => name).join(', ');
  throw new EmbedmillError(
    'model_corrupt',
    `the image model has no output of vectors; its outputs are ${names}`,
  );
}
