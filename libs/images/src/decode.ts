import sharp, { type Sharp } from 'sharp';
import { EmbedmillError } from '@embedmill/jobs';
import { gifFrame, withGround } from './gif-frame.ts';
import { imageFormat, type ImageFormat } from './image-format.ts';
import { unreadInTiff } from './tiff-tags.ts';
import { resample, type Interpolation, type Pixels } from './resample.ts';

/** The image format that a model expects: a square of RGB bytes. */
export interface ImagePreparation {
  /** The square's side, in pixels. */
  readonly size: number;
  /**
   * `shortest`: scaled until the shortest side is `resizeTo`, then the square is cut from the middle;
   * `exact`: scaled to the square, whatever the proportions.
   */
  readonly resize: 'shortest' | 'exact';
  /** For `shortest`: at least `size`, the default. */
  readonly resizeTo?: number | undefined;
  /** `bicubic` by default, as CLIP was trained. */
  readonly interpolation?: Interpolation | undefined;
}

export interface ImageLimits {
  readonly maxBytes: number;
  /** Limits the stored image's pixels, so that a small file cannot demand much memory. */
  readonly maxPixels: number;
}

/** Limits either side, with JPEG's own limit, so that an image one pixel wide cannot demand much time. */
const MAX_SIDE = 65_535;

export const IMAGE_LIMITS: ImageLimits = { maxBytes: 20_000_000, maxPixels: 64_000_000 };

/** How long decoding may take. */
const DECODE_SECONDS = 30;

// Each image is decoded once, so libvips need not cache it.
sharp.cache(false);

/**
 * Decodes an image to a model's input: size × size × 3 bytes, rows from the top, RGB. Accepts PNG, JPEG, WebP, AVIF,
 * TIFF and GIF, and uses the first frame or page.
 *
 * Follows the reference preprocessing of CLIP (Hugging Face's CLIPImageProcessor: Pillow's `convert("RGB")`, resize,
 * centre crop with the odd pixel at the right and bottom), to the byte: alpha is dropped, not blended, also for a
 * transparent palette colour; colour profiles are ignored; CMYK is converted by its plain formula. Two things differ,
 * so that the model sees a picture as people do: the EXIF orientation is applied, and 16-bit grey is scaled to 8 bits,
 * where Pillow makes every value above 255 white. Images that cannot be read as Pillow reads them are refused: TIFFs
 * with YCbCr but no JPEG, with L*a*b*, or with signed samples. AVIF may differ from decoder to decoder, and TIFFs with
 * premultiplied alpha may differ by one.
 *
 * Errors: `image_too_large`, `image_unreadable`.
 */
export async function decodeImage(
  bytes: Uint8Array,
  preparation: ImagePreparation,
  limits: ImageLimits = IMAGE_LIMITS,
): Promise<Uint8Array> {
  if (bytes.length > limits.maxBytes) throw tooLarge(`has ${bytes.length} bytes`, `${limits.maxBytes} bytes`);
  const format = imageFormat(bytes);
  if (format === undefined) {
    throw new EmbedmillError('image_unreadable', `the image is not one of ${FORMATS}; convert it`);
  }
  const pixels = await decodePixels(bytes, format, limits);
  const resized = await resample(pixels, resamplingOf(pixels, preparation));
  return resized.channels === 1 ? fromGrey(resized.data) : resized.data;
}

const FORMATS = (['png', 'jpeg', 'webp', 'gif', 'avif', 'tiff'] satisfies ImageFormat[]).join(', ');

async function decodePixels(bytes: Uint8Array, format: ImageFormat, limits: ImageLimits): Promise<Pixels> {
  switch (format) {
    case 'gif': {
      const { bytes: opaque, bare } = gifFrame(bytes);
      const pixels = await decodeOpaque(opaque, format, limits);
      return bare === undefined ? pixels : withGround(pixels, bare);
    }
    case 'tiff': {
      const unread = unreadInTiff(bytes);
      if (unread === undefined) return decodeOpaque(bytes, format, limits);
      throw new EmbedmillError('image_unreadable', `the TIFF has ${unread}; convert it to RGB of 8 bits`);
    }
    case 'png':
    case 'jpeg':
    case 'webp':
    case 'avif':
      return decodeOpaque(bytes, format, limits);
  }
}

async function decodeOpaque(bytes: Uint8Array, format: ImageFormat, limits: ImageLimits): Promise<Pixels> {
  try {
    const image = sharp(bytes, {
      // Checked below, with its own error code.
      limitInputPixels: false,
      failOn: 'error',
      ignoreIcc: true,
    });
    const { width, height, space } = await image.metadata();
    if (width * height > limits.maxPixels) {
      throw tooLarge(`has ${width} × ${height} pixels`, `${limits.maxPixels} pixels`);
    }
    if (Math.max(width, height) > MAX_SIDE) {
      throw tooLarge(`has ${width} × ${height} pixels`, `${MAX_SIDE} pixels a side`);
    }
    const upright = image.autoOrient().removeAlpha();
    if (space === 'cmyk')
      return fromCmyk(await rawPixels(upright.pipelineColourspace('cmyk').toColourspace('cmyk')));
    const { channels, ...pixels } = await rawPixels(upright);
    if (channels === 1 || channels === 3) return { ...pixels, channels };
    throw new EmbedmillError('image_unreadable', `the image has ${channels} channels; convert it to RGB`);
  } catch (thrown) {
    if (thrown instanceof EmbedmillError) throw thrown;
    const why = thrown instanceof Error ? thrown.message : String(thrown);
    const message = `the image cannot be decoded as ${format}; is the file complete? ${why}`;
    throw new EmbedmillError('image_unreadable', message, { cause: thrown });
  }
}

type RawPixels = Omit<Pixels, 'channels'> & { readonly channels: number };

async function rawPixels(image: Sharp): Promise<RawPixels> {
  const { data, info } = await image
    .timeout({ seconds: DECODE_SECONDS })
    .raw({ depth: 'uchar' })
    .toBuffer({ resolveWithObject: true });
  return { width: info.width, height: info.height, channels: info.channels, data };
}

function resamplingOf({ width, height }: Pixels, preparation: ImagePreparation) {
  const { size, resize, resizeTo = size, interpolation = 'bicubic' } = preparation;
  if (resize === 'exact') {
    const window = { left: 0, top: 0, width: size, height: size };
    return { width: size, height: size, window, interpolation };
  }
  const scaled = (side: number) => Math.floor((resizeTo * side) / Math.min(width, height));
  const [toWidth, toHeight] = [scaled(width), scaled(height)];
  const window = {
    left: Math.floor((toWidth - size) / 2),
    top: Math.floor((toHeight - size) / 2),
    width: size,
    height: size,
  };
  return { width: toWidth, height: toHeight, window, interpolation };
}

function fromGrey(grey: Uint8Array): Uint8Array {
  const rgb = new Uint8Array(grey.length * 3);
  for (let n = 0; n < grey.length; n += 1) rgb.fill(grey[n] ?? 0, n * 3, n * 3 + 3);
  return rgb;
}

/** The light that each ink leaves, reduced by black, rounded as Pillow does. */
function fromCmyk({ width, height, data }: RawPixels): Pixels {
  const rgb = new Uint8ClampedArray(width * height * 3);
  for (let from = 0, to = 0; to < rgb.length; from += 4, to += 3) {
    const light = 255 - (data[from + 3] ?? 0);
    for (let ink = 0; ink < 3; ink += 1) {
      rgb[to + ink] = light - Math.round(((data[from + ink] ?? 0) * light) / 255);
    }
  }
  return { width, height, channels: 3, data: new Uint8Array(rgb.buffer) };
}

function tooLarge(has: string, most: string): EmbedmillError {
  return new EmbedmillError(
    'image_too_large',
    `the image ${has}, but at most ${most} are allowed; scale it down`,
  );
}
