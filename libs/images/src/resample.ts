import { setImmediate as nextTurn } from 'node:timers/promises';

export type Interpolation = 'bilinear' | 'bicubic' | 'lanczos';

/** Rows of pixels from the top, `channels` bytes per pixel. */
export interface Pixels {
  readonly width: number;
  readonly height: number;
  readonly channels: 1 | 3;
  readonly data: Uint8Array;
}

/** The image's size after resampling, and the rectangle of it to compute. */
export interface Resampling {
  readonly width: number;
  readonly height: number;
  readonly window: { left: number; top: number; width: number; height: number };
  readonly interpolation: Interpolation;
}

/** A large image takes long, so resampling yields to the event loop after this many milliseconds. */
const SLICE_MS = 8;

/**
 * Resizes an image with antialiasing, to exactly the bytes of Pillow's `Image.resize`, on which models were trained.
 * Like Pillow, it resamples rows first, then columns (Pillow 13 reverses this if the height shrinks much more than the
 * width, a difference of one level), rounds to bytes in between, and sums weights in 22-bit fixed point
 * (https://github.com/python-pillow/Pillow/blob/12.0.0/src/libImaging/Resample.c). Nothing outside the window is
 * computed.
 */
export async function resample(image: Pixels, resampling: Resampling): Promise<Pixels> {
  const { width, height, window, interpolation } = resampling;
  const { channels } = image;
  const across = weigh(image.width, width, window.left, window.width, interpolation);
  const down = weigh(image.height, height, window.top, window.height, interpolation);
  const firstRow = down.starts[0] ?? 0;
  const rows = (down.starts.at(-1) ?? 0) + (down.counts.at(-1) ?? 0) - firstRow;

  const stride = window.width * channels;
  const between = new Uint8ClampedArray(rows * stride);
  const result = new Uint8ClampedArray(window.height * stride);
  let slice = performance.now();
  const breathe = async (): Promise<void> => {
    if (performance.now() - slice < SLICE_MS) return;
    await nextTurn();
    slice = performance.now();
  };
  for (let row = 0; row < rows; row += 1) {
    const from = (firstRow + row) * image.width * channels;
    const source = image.data.subarray(from, from + image.width * channels);
    sumAlongRow(source, channels, across, between.subarray(row * stride, (row + 1) * stride));
    await breathe();
  }
  const sums = new Int32Array(stride);
  for (let row = 0; row < window.height; row += 1) {
    const from = ((down.starts[row] ?? 0) - firstRow) * stride;
    sumRows(between.subarray(from), down, row, sums);
    for (let n = 0; n < stride; n += 1) result[row * stride + n] = (sums[n] ?? 0) >> PRECISION;
    await breathe();
  }
  return { width: window.width, height: window.height, channels, data: new Uint8Array(result.buffer) };
}

/** For each output along an axis: the first input, the number of inputs, and the weight of each. */
interface Weights {
  readonly starts: Int32Array;
  readonly counts: Int32Array;
  /** The number of entries in `values` for each output. */
  readonly taps: number;
  /** In fixed point. */
  readonly values: Int32Array;
}

const PRECISION = 22;
const ONE = 1 << PRECISION;
const HALF = 1 << (PRECISION - 1);

/**
 * Computes the outputs of one row. Every sum fits into 32 bits, because the weights add up to 1, and the positive ones
 * alone to less than 2. The target array clamps to bytes.
 */
function sumAlongRow(
  source: Uint8Array,
  channels: number,
  { starts, counts, taps, values }: Weights,
  target: Uint8ClampedArray,
): void {
  for (let output = 0; output < starts.length; output += 1) {
    const start = starts[output] ?? 0;
    const count = counts[output] ?? 0;
    const weights = output * taps;
    if (channels === 1) {
      let grey = HALF;
      for (let tap = 0; tap < count; tap += 1) {
        grey = (grey + Math.imul(source[start + tap] ?? 0, values[weights + tap] ?? 0)) | 0;
      }
      target[output] = grey >> PRECISION;
      continue;
    }
    let [red, green, blue] = [HALF, HALF, HALF];
    let at = start * 3;
    for (let tap = 0; tap < count; tap += 1, at += 3) {
      const weight = values[weights + tap] ?? 0;
      red = (red + Math.imul(source[at] ?? 0, weight)) | 0;
      green = (green + Math.imul(source[at + 1] ?? 0, weight)) | 0;
      blue = (blue + Math.imul(source[at + 2] ?? 0, weight)) | 0;
    }
    target[output * 3] = red >> PRECISION;
    target[output * 3 + 1] = green >> PRECISION;
    target[output * 3 + 2] = blue >> PRECISION;
  }
}

/** One output row before rounding, from the first rows of `source`. */
function sumRows(
  source: Uint8ClampedArray,
  { counts, taps, values }: Weights,
  output: number,
  sums: Int32Array,
): void {
  sums.fill(HALF);
  for (let tap = 0; tap < (counts[output] ?? 0); tap += 1) {
    const weight = values[output * taps + tap] ?? 0;
    const row = tap * sums.length;
    for (let n = 0; n < sums.length; n += 1) {
      sums[n] = ((sums[n] ?? 0) + Math.imul(source[row + n] ?? 0, weight)) | 0;
    }
  }
}

function weigh(
  input: number,
  output: number,
  from: number,
  count: number,
  interpolation: Interpolation,
): Weights {
  const { radius, weight } = KERNELS[interpolation];
  const scale = input / output;
  const stretch = Math.max(scale, 1);
  const support = radius * stretch;
  const taps = Math.ceil(support) * 2 + 1;
  const starts = new Int32Array(count);
  const counts = new Int32Array(count);
  const values = new Int32Array(count * taps);
  const exact = new Float64Array(taps);
  for (let n = 0; n < count; n += 1) {
    const center = (from + n + 0.5) * scale;
    const start = Math.max(Math.trunc(center - support + 0.5), 0);
    const end = Math.min(Math.trunc(center + support + 0.5), input);
    let sum = 0;
    for (let tap = 0; tap < end - start; tap += 1) {
      exact[tap] = weight((tap + start - center + 0.5) * (1 / stretch));
      sum += exact[tap] ?? 0;
    }
    for (let tap = 0; tap < end - start; tap += 1) {
      const share = (exact[tap] ?? 0) / (sum === 0 ? 1 : sum);
      values[n * taps + tap] = Math.trunc(share * ONE + (share < 0 ? -0.5 : 0.5));
    }
    starts[n] = start;
    counts[n] = end - start;
  }
  return { starts, counts, taps, values };
}

/** The weight of a source pixel at a distance in pixels of the smaller image; 0 beyond `radius`. */
const KERNELS: Record<Interpolation, { radius: number; weight: (distance: number) => number }> = {
  bilinear: { radius: 1, weight: (distance) => Math.max(1 - Math.abs(distance), 0) },
  // Keys, "Cubic convolution interpolation for digital image processing" (1981), with a = -0.5.
  bicubic: {
    radius: 2,
    weight: (distance) => {
      const x = Math.abs(distance);
      if (x < 1) return (1.5 * x - 2.5) * x * x + 1;
      return x < 2 ? (((x - 5) * x + 8) * x - 4) * -0.5 : 0;
    },
  },
  lanczos: {
    radius: 3,
    weight: (x) => (x >= -3 && x < 3 ? sinc(x) * sinc(x / 3) : 0),
  },
};

function sinc(x: number): number {
  return x === 0 ? 1 : Math.sin(x * Math.PI) / (x * Math.PI);
}
